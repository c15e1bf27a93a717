import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import type { EventInputs } from "../../schemas/events.generated.js";
import { instantOf } from "./clock.js";
import type { InterchangeHeader } from "./envelope.js";
import { nothing, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";
import { type Exchange, groupId, interchangeId } from "./transmission.js";

type Fields = Omit<EventInputs["InterchangeAcknowledged"], "contentHash" | "flags">;
type Verdict = NonNullable<Fields["verdict"]>;
type SetAcknowledgment = NonNullable<Fields["sets"]>[number];
type SegmentFault = NonNullable<SetAcknowledgment["errors"]>[number];
type ElementFault = NonNullable<SegmentFault["elements"]>[number];

/** What both a TA1 and a 999 are read with. */
export type AcknowledgmentSurroundings = Pick<Surroundings, "interchange" | "profile" | "surrogate">;

/** TA104, IK501, AK501 and AK901. M, W and X (security) are refusals. */
const verdicts: Readonly<Record<string, Verdict>> = {
  A: "ACCEPTED",
  E: "ACCEPTED_WITH_ERRORS",
  P: "PARTIALLY_ACCEPTED",
  R: "REJECTED",
  M: "REJECTED",
  W: "REJECTED",
  X: "REJECTED",
};

const text = (segment: Segment, index: number): string => (segment.elements[index] ?? "").trim();
const whole = (value: string): number | null => (/^\d{1,9}$/.test(value) ? Number(value) : null);
const given = (values: readonly string[]): string[] => values.map((one) => one.trim()).filter((one) => one !== "");

/** The exchange an answer is about: its sender is who receives the answer. */
export const answered = ({ sender, receiver }: InterchangeHeader): Exchange => ({
  sender: receiver,
  receiver: sender,
});

/** The event that what `subject` names was acknowledged. */
export function acknowledged(subject: string, fields: Fields, time: number, precision: EventDraft["timePrecision"]) {
  return {
    type: "InterchangeAcknowledged",
    subject,
    time,
    ...(precision ? { timePrecision: precision } : {}),
    fields: { ...fields, contentHash: contentHash(fields), flags: [] },
  } satisfies EventDraft;
}

/** When an answer was written: the date and time of its ISA, in the sender's zone. */
function writtenAt({ interchange, profile }: AcknowledgmentSurroundings) {
  return (
    instantOf(`20${interchange.date}`, interchange.time, profile.timeZone) ?? { time: 0, precision: "DAY" as const }
  );
}

/** Translates a TA1 (X12.56): the answer to an interchange. Pure. */
export function translateTa1(segments: readonly Segment[], surroundings: AcknowledgmentSurroundings): Translation {
  const segment = segments.find(({ id }) => id === "TA1");
  if (!segment || text(segment, 1) === "") return nothing;
  const exchange = answered(surroundings.interchange);
  const control = text(segment, 1);
  const { time, precision } = writtenAt(surroundings);
  const fields: Fields = {
    form: "TA1",
    ...exchange,
    control,
    functionalId: null,
    verdict: verdicts[text(segment, 4)] ?? "UNKNOWN",
    codes: given([text(segment, 5)]),
  };
  const event = acknowledged(interchangeId(surroundings, exchange, control), fields, time, precision);
  return { events: [event], flags: [], sealFor: [], number: "" };
}

/** Translates a 999 (005010X231) or 997 (004010): the answer to a functional group and its sets. Pure. */
export function translateGroupAcknowledgment(segments: readonly Segment[], surroundings: Surroundings): Translation {
  const exchange = answered(surroundings.interchange);
  let fields: Fields = { form: surroundings.set.set, ...exchange, control: "", verdict: "UNKNOWN" };
  const sets: SetAcknowledgment[] = [];
  for (const segment of segments) {
    const at = (index: number) => text(segment, index);
    if (segment.id === "AK1") fields = { ...fields, functionalId: at(1), control: at(2) };
    else if (segment.id === "AK9") {
      fields = {
        ...fields,
        verdict: verdicts[at(1)] ?? "UNKNOWN",
        codes: given(segment.elements.slice(5)),
        setsDeclared: whole(at(2)),
        setsReceived: whole(at(3)),
        setsAccepted: whole(at(4)),
      };
    } else readSet(sets, segment);
  }
  if (fields.control === "") return nothing;
  const { time, precision } = writtenAt(surroundings);
  const subject = groupId(surroundings, exchange, fields.functionalId ?? "", fields.control);
  return {
    events: [acknowledged(subject, { ...fields, sets }, time, precision)],
    flags: [],
    sealFor: [],
    number: fields.control,
  };
}

function readSet(sets: SetAcknowledgment[], segment: Segment): void {
  const at = (index: number) => text(segment, index);
  if (segment.id === "AK2") sets.push({ setType: at(1), setControl: at(2), verdict: "UNKNOWN", codes: [], errors: [] });
  const open = sets.at(-1);
  if (!open) return;
  const change = (changes: Partial<SetAcknowledgment>) => sets.splice(-1, 1, { ...open, ...changes });
  // Lists made above, and added to in place: copied with each error, a long one would take the square of its length.
  const errors = open.errors as SegmentFault[];
  switch (segment.id) {
    case "IK3":
    case "AK3":
      errors.push({ segment: at(1), position: whole(at(2)) ?? 0, code: at(4), elements: [] });
      return;
    case "IK4":
    case "AK4":
      (errors.at(-1)?.elements as ElementFault[] | undefined)?.push(elementOf(segment));
      return;
    case "IK5":
    case "AK5":
      change({ verdict: verdicts[at(1)] ?? "UNKNOWN", codes: given(segment.elements.slice(2)) });
  }
}

/** IK404, the bad value, is left out: it may name a person. */
function elementOf(segment: Segment): ElementFault {
  const [at, component] = text(segment, 1).split(String.fromCharCode(segment.delimiters.component));
  return { at: whole(at ?? "") ?? 0, component: whole(component ?? ""), code: text(segment, 3) };
}
