import type { EventDraft, ReceivedUnit } from "../../../engine/intake/connector.js";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";
import { type Profile, profileSchema } from "../profile.js";
import { readMessage } from "../unit.js";
import { messageOf, type Sketch } from "./messages.js";

/** When the messages of specs are received. */
const RECEIVED = Date.UTC(2030, 0, 1);

/** The unit of a message by a profile with these fields. */
export function unitOf(sketch: Sketch, profile: Parameters<typeof profileSchema.parse>[0] = {}): ReceivedUnit {
  const profiles = new Map<string, Profile>([["generic", profileSchema.parse(profile)]]);
  const bytes = Buffer.from(messageOf(sketch));
  return readMessage(bytes, { profiles, surrogate: testSurrogate, receivedAt: RECEIVED }).unit;
}

export const eventsOf = (sketch: Sketch, profile = {}): readonly EventDraft[] => unitOf(sketch, profile).events;

/** Its only event of a type. */
export function only<Type extends EventDraft["type"]>(sketch: Sketch, type: Type, profile = {}) {
  const found = eventsOf(sketch, profile).filter((event) => event.type === type);
  if (found.length !== 1) throw new Error(`${found.length} events ${type}`);
  return found[0] as Extract<EventDraft, { type: Type }>;
}

export const patient = (authority: string, type: string, value: string): string =>
  testSurrogate("patient", authority, type, value);
export const visit = (authority: string, value: string): string => testSurrogate("visit", authority, "", value);
