import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bufferSource } from "../../../engine/reception/byte-source.js";
import { repositoryRoot } from "../../../engine/service/root.js";
import { type Profile, profileSchema } from "../profile.js";
import { RecentInterchanges } from "../recent.js";
import { type Desk, type Reception, receive } from "../reception.js";
import { RecordingIntake } from "./recording-intake.js";

/** Folder of the sample files, or null where it is absent. */
const corpus: string | null = (() => {
  const folder = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");
  return existsSync(join(folder, "x12")) ? folder : null;
})();

/** Prints, once, that tests are skipped. */
export function corpusOrSkip(): string | null {
  if (corpus === null) console.log("Skipped: the sample files are absent; set TRIBUTARY_CORPUS to their folder.");
  return corpus;
}

const partners = join(repositoryRoot, "producers", "x12", "partners");

export const profiles: ReadonlyMap<string, Profile> = new Map(
  readdirSync(partners).map((file) => [
    file.replace(/\.json$/, ""),
    profileSchema.parse(JSON.parse(readFileSync(join(partners, file), "utf8"))),
  ]),
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
