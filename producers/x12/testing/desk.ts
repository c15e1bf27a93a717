import { bufferSource } from "../../../engine/reception/byte-source.js";
import { type Profile, profileSchema } from "../profile.js";
import { RecentInterchanges } from "../recent.js";
import { type Desk, type Reception, receive } from "../reception.js";
import { RecordingIntake } from "./recording-intake.js";

const payers = { "1512345678": "BAYPLAN" };

/** Partners as specs know them: anybody, a sender of claims, and one of remittances. */
export const profiles: ReadonlyMap<string, Profile> = new Map(
  Object.entries({
    clearing: { senders: ["CLEARCO"], receivers: ["TRIBUTARY"], payers },
    generic: { payers: { "1512345678": "BSHP1" } },
    insurer: { senders: ["BAYPLAN"], receivers: ["TRIBUTARY"], payers },
  }).map(([partner, profile]) => [partner, profileSchema.parse(profile)]),
);

export interface TestDesk extends Desk {
  readonly intake: RecordingIntake;
}

export function deskOf(intake = new RecordingIntake()): TestDesk {
  return {
    intake,
    profiles,
    unitLimit: 10_000_000,
    recent: new RecentInterchanges(),
    now: () => new Date("2026-03-01T12:34:56Z"),
  };
}

/** Takes bytes in as `generic` would send them, and lets the sender have the answer. */
export async function take(bytes: Buffer, desk: Desk, partner = "generic"): Promise<Reception> {
  const reception = await receive(bufferSource(bytes), partner, desk);
  await reception.answered();
  return reception;
}
