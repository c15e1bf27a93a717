import type { ReceivedUnit } from "../../../engine/intake/connector.js";
import { bufferSource } from "../../../engine/reception/byte-source.js";
import { type RecordingIntake, recordingIntake } from "../../../engine/testing/recording-intake.js";
import { type FileAnswer, isFileAnswer, type RowAnswer } from "../answer.js";
import type { Profile } from "../profile.js";
import { receive } from "../reception.js";

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
