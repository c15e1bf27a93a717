import { controlIdOf } from "./entries.js";
import { Splitter, unitKinds } from "./splitter.js";
import { Tokenizer } from "./tokenizer.js";

/** A unit of a file that is about to be sent, as its sender knows it. */
export interface OutgoingUnit {
  readonly controlId: string;
  /** Ordinal of its interchange in the file. */
  readonly interchange: number;
  readonly group: string;
  readonly set: string;
  readonly setId: string;
}

/** What a file holds, for a sender that wants to tell each unit's answer. */
export interface Outbox {
  readonly units: readonly OutgoingUnit[];
  readonly interchanges: readonly { readonly control: string; readonly acknowledgments: boolean }[];
}

/** Number of a unit: of the claim, the payment, the remittance, or what a status is traced by. */
const NUMBERS: Readonly<Record<string, { readonly segment: string; readonly at: number }>> = {
  claim: { segment: "CLM", at: 1 },
  payment: { segment: "CLP", at: 1 },
  remittance: { segment: "TRN", at: 2 },
  member: { segment: "TRN", at: 2 },
  set: { segment: "AK1", at: 2 },
};

export function readOutbox(bytes: Buffer): Outbox {
  const units: OutgoingUnit[] = [];
  const interchanges: { control: string; acknowledgments: boolean }[] = [];
  const tokenizer = new Tokenizer();
  const splitter = new Splitter(Number.MAX_SAFE_INTEGER);
  let group = "";
  let set = "";
  let setId = "";
  for (const slice of [...splitter.push([...tokenizer.push(bytes), ...tokenizer.end()]), ...splitter.end()]) {
    const first = slice.segments[0];
    const at = (index: number): string => (first?.elements[index] ?? "").trim();
    if (slice.kind === "isa" && first) {
      interchanges.push({ control: at(13), acknowledgments: true });
      group = "";
    } else if (first?.id === "GS") {
      group = at(6);
      if (at(1) !== "FA") interchanges.at(-1)!.acknowledgments = false;
    } else if (first?.id === "ST") {
      setId = at(1);
      set = at(2);
    }
    if (!unitKinds.has(slice.kind) || interchanges.length === 0) continue;
    const place = NUMBERS[slice.kind];
    const number = place ? slice.segments.find((one) => one.id === place.segment)?.elements[place.at]?.trim() : "";
    units.push({
      controlId: controlIdOf([interchanges.at(-1)!.control, group, set, number]),
      interchange: interchanges.length - 1,
      group,
      set,
      setId,
    });
  }
  return { units, interchanges };
}
