import { z } from "zod";
import type { EventDraft, ReceivedUnit, Surrogate, Verdict } from "../../../engine/intake/connector.js";
import type { Profile } from "./profile.js";

/** What a partner sends. Fields that are not named here are left alone. */
const messageSchema = z.object({
  id: z.string().min(1).max(64),
  sentAt: z.iso.datetime({ offset: true }),
  facility: z.string().min(1).max(64).optional(),
  patient: z.object({
    number: z.string().min(1).max(64),
    familyName: z.string().max(200).optional(),
    givenNames: z.array(z.string().max(200)).max(10).default([]),
    birthDate: z.iso.date().optional(),
    sex: z.enum(["F", "M", "O", "U"]).optional(),
  }),
});

type Message = z.output<typeof messageSchema>;

/** Who sends, and the engine's hash for surrogate ids. */
export interface Sender {
  readonly partner: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
}

/**
 * Makes a unit of what was received: verdict, identity, events. Pure: the same bytes and sender always give the same.
 * @returns rejected with `JSON_UNREADABLE`, or `FIELD_INVALID` and the field's path. Never with a value: what a partner
 *   sent is personal.
 */
export function translate(bytes: Uint8Array, sender: Sender): ReceivedUnit {
  const received = { entry: "UNIT" as const, partner: sender.partner, format: "JSON", bytes, answer: statusOf };
  const refused = (code: string, location: string): ReceivedUnit => {
    const feed = `${sender.partner}/${sender.profile.facility}`;
    return { ...received, feed, verdict: { accepted: false, code, location }, sealFor: [], events: [] };
  };
  const parsed = messageSchema.safeParse(readJson(bytes));
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.join(".") ?? "";
    return place === "" ? refused("JSON_UNREADABLE", "body") : refused("FIELD_INVALID", place);
  }
  const message = parsed.data;
  const facility = message.facility ?? sender.profile.facility;
  // Order means something within a facility of a partner, so that is the feed.
  const feed = `${sender.partner}/${facility}`;
  const event = registered(message, facility, sender);
  return {
    ...received,
    feed,
    verdict: { accepted: true },
    controlId: { scope: [sender.partner, facility], value: message.id },
    identity: { rule: "EVERY", parts: ["example", sender.partner, feed, bytes] },
    // The bytes are sealed under the patient's key: destroying it destroys them.
    sealFor: [event.subject],
    events: [event],
  };
}

/** Names, numbers and the birth date go into `sealed`; the rest is seen by everyone who may read the log. */
function registered(message: Message, facility: string, { profile, surrogate }: Sender): EventDraft {
  const { number, familyName, givenNames, birthDate, sex } = message.patient;
  const authority = profile.authority ?? facility;
  const id = surrogate("patient", authority, "MR", number);
  return {
    type: "PatientRegistered",
    subject: id,
    time: Date.parse(message.sentAt),
    timePrecision: "SECOND",
    fields: {
      facility,
      identifiers: [{ identifierId: id, authority, type: "MR" }],
      sex: sex ?? null,
      birthYear: birthDate === undefined ? null : Number(birthDate.slice(0, 4)),
    },
    sealed: {
      identifierValues: [number],
      familyName: familyName ?? null,
      givenNames,
      birthDate: birthDate ?? null,
    },
    sealFor: id,
  };
}

/** @returns undefined when the bytes are no JSON in UTF-8. */
function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** The HTTP status that tells a verdict: both are final. */
export const statusOf = (verdict: Verdict): string => (verdict.accepted ? "200" : "422");
