import { linesOf, text } from "./bytes.js";
import { checkpointName, type PackedCheckpoint } from "./checkpoint.js";
import { type PackedRecord, placeOf, shownOf } from "./record.js";

/** How each kind of content is checked by itself; each throws an Error where it is wrong. */
export interface Checks {
  readonly record: (index: number) => Promise<void>;
  readonly checkpoint: (line: string) => Promise<void>;
  readonly asOf: () => Promise<unknown>;
}

type Files = ReadonlyMap<string, Uint8Array>;

async function complaintOf(check: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return error instanceof SyntaxError ? "it can't be read" : (error as Error).message;
  }
}

function parsed<Value>(files: Files, name: string, index: number): Value | undefined {
  try {
    return JSON.parse(linesOf(files.get(name) ?? new Uint8Array())[index] as string) as Value;
  } catch {
    return undefined;
  }
}

/** An event by its type and place, as the files that were not changed say. */
function eventName(files: Files, index: number, changed: string): string {
  const record = parsed<PackedRecord>(files, changed === "records.jsonl" ? "events.jsonl" : "records.jsonl", index);
  if (!record) return "a record";
  const told = changed === "records.jsonl" ? record : JSON.parse(shownOf(record, files));
  return `the ${(told as { readonly record: string }).record.split(".").at(-1)} at ${placeOf(record)}`;
}

async function insideRecords(name: string, files: Files, checks: Checks): Promise<string | undefined> {
  const lines = linesOf(files.get(name) as Uint8Array);
  for (const index of lines.keys()) {
    const complaint = await complaintOf(() => checks.record(index));
    if (complaint) return `line ${index + 1}, ${eventName(files, index, name)}: ${complaint}`;
  }
  return undefined;
}

async function insideCheckpoints(files: Files, checks: Checks): Promise<string | undefined> {
  for (const [index, line] of linesOf(files.get("checkpoints.jsonl") as Uint8Array).entries()) {
    const complaint = await complaintOf(() => checks.checkpoint(line));
    const checkpoint = parsed<PackedCheckpoint>(files, "checkpoints.jsonl", index);
    const place = checkpoint ? `the ${checkpointName(checkpoint)}` : "a line";
    if (complaint) return `line ${index + 1}, ${place}: ${complaint}`;
  }
  return undefined;
}

/** Events written by a schema. */
function writtenBy(name: string, files: Files): string | undefined {
  const id = Number(/(\d+)\.json$/.exec(name)?.[1]);
  const events = linesOf(files.get("events.jsonl") ?? new Uint8Array())
    .map((line) => JSON.parse(line) as { schema: number; record: string })
    .filter(({ schema }) => schema === id);
  const [first] = events;
  return first && `the schema of ${events.length} events here, ${first.record.split(".").at(-1)}`;
}

interface TrailPart {
  readonly units: readonly { readonly place: string; readonly partner: string }[];
  readonly events: readonly { readonly place: string; readonly type: string; readonly unit: string }[];
}

/** The unit as it was received, and what was made of it. */
function unitOf(name: string, files: Files): string {
  const place = (/([^/]+)\.bin$/.exec(name)?.[1] ?? "").replace("-", "/");
  const trail = JSON.parse(text.decode(files.get("trail.json"))) as TrailPart;
  const unit = trail.units.find((each) => each.place === place);
  const events = trail.events.filter((event) => event.unit === place);
  const made = events.map((event) => `${event.type} ${event.place}`).join(", ");
  return `the unit ${place} as received${unit ? ` from ${unit.partner}` : ""}, of which ${made || "no event here"} was made`;
}

const abouts: Readonly<Record<string, string>> = {
  "trail.json": "the account of units, events and rows",
  "deliveries.jsonl": "the list of what was sent to partners",
  "access.jsonl": "the list of who was shown or given any of it",
  "verify.mjs": "the verifier for Node; take one from elsewhere",
  "verify.html": "the verifier for browsers; take one from elsewhere",
  "README.txt": "the words of introduction",
  "manifest.json": "the list of all files",
  "manifest.sig": "the signature over the list of all files",
};

/**
 * What of a changed file was changed, in plain words that name an event, a unit or a row where one can be told.
 * @param files all of the package, as they are now. @returns undefined when only the file's name is known.
 */
export async function insideOf(name: string, files: Files, checks: Checks): Promise<string | undefined> {
  if (["records.jsonl", "proofs.jsonl", "events.jsonl"].includes(name)) return insideRecords(name, files, checks);
  if (name === "checkpoints.jsonl") return insideCheckpoints(files, checks);
  if (name.startsWith("schemas/")) return writtenBy(name, files);
  if (name.startsWith("units/")) return unitOf(name, files);
  if (name.startsWith("as-of/")) return complaintOf(checks.asOf);
  return abouts[name];
}
