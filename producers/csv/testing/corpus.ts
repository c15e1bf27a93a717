import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ReceivedUnit } from "../../../engine/intake/connector.js";
import { bufferSource } from "../../../engine/reception/byte-source.js";
import { repositoryRoot } from "../../../engine/service/root.js";
import { type RecordingIntake, recordingIntake } from "../../../engine/testing/recording-intake.js";
import { type FileAnswer, isFileAnswer, type RowAnswer } from "../answer.js";
import { type Profile, profileSchema } from "../profile.js";
import { receive } from "../reception.js";

/** Folder of the sample files, or null where it is absent. */
export const corpus: string | null = (() => {
  const folder = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");
  if (existsSync(join(folder, "csv"))) return folder;
  console.log("Skipped: the sample files are absent; set TRIBUTARY_CORPUS to their folder.");
  return null;
})();

/** A sample file, unpacked. */
export function sample(...path: string[]): Buffer {
  const bytes = readFileSync(join(corpus ?? "", ...path));
  return path.at(-1)?.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

const partners = join(repositoryRoot, "producers", "csv", "partners");

/** The profiles that the connector comes with. */
export const profiles: ReadonlyMap<string, Profile> = new Map(
  readdirSync(partners).map((file) => [
    file.replace(/\.json$/, ""),
    profileSchema.parse(JSON.parse(readFileSync(join(partners, file), "utf8"))),
  ]),
);

/** What a file came to. */
export interface Taken {
  readonly accepted: boolean;
  readonly summary: FileAnswer;
  readonly rows: readonly RowAnswer[];
  readonly rejected: string;
  readonly units: readonly ReceivedUnit[];
  readonly entries: readonly ReceivedUnit[];
}

async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

/** Takes a file in as the connector would. */
export async function take(
  bytes: Buffer,
  profile: Profile,
  intake: RecordingIntake = recordingIntake(),
  chunk = bytes.length || 1,
): Promise<Taken> {
  const source = {
    ...bufferSource(bytes),
    *chunks() {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    },
  };
  const before = intake.units.length;
  const desk = { intake, profiles: new Map([["partner", profile]]), now: () => Date.UTC(2026, 0, 2) };
  const { accepted, summary, answer } = await receive(source, "partner", desk);
  const lines = (await textOf(answer.verdicts.content())).split("\n").filter((line) => line !== "");
  const told = lines.map((line) => JSON.parse(line) as RowAnswer | FileAnswer);
  const rejected = await textOf(answer.rejected.content());
  await answer.release();
  const entries = intake.units.slice(before);
  const rows = told.filter((line): line is RowAnswer => !isFileAnswer(line));
  return { accepted, summary, rows, rejected, entries, units: entries.filter(({ entry }) => entry === "UNIT") };
}

/** The bytes of a file put together again from its entries. */
export const bytesOf = (entries: readonly ReceivedUnit[]): Buffer => Buffer.concat(entries.map(({ bytes }) => bytes));
