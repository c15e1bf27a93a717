import { ChangedContent, openArchive } from "./archive.js";
import { checkAsOf, checkState } from "./as-of.js";
import { base64, broken, fingerprintOf, hex, isSigned, linesOf, sha256, text, unhex } from "./bytes.js";
import { checkCheckpoint, type PackedCheckpoint, type Signer } from "./checkpoint.js";
import { checkProof } from "./proof.js";
import { leafOfRecord, type PackedRecord, placeOf, shownOf } from "./record.js";
import { rootOf } from "./tree.js";
import { checkUnits, type UnitsChecked } from "./units.js";
import { no, type Verdict, yes } from "./verdict.js";
import { insideOf } from "./where.js";

interface Manifest extends Signer {
  readonly format: string;
  readonly subject: { readonly kind: string; readonly id: string };
  readonly madeAt: string;
  readonly madeBy: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** One line of `proofs.jsonl`, for the record of the same line. */
export interface PackedProof {
  readonly size: number;
  readonly before: string;
  readonly path: readonly string[];
}

export const packageFormat = "tributary-audit-package/1";

type Files = ReadonlyMap<string, Uint8Array>;

const isAsListed = async (content: Uint8Array | undefined, { bytes, sha256: sum }: Manifest["files"][number]) =>
  content?.length === bytes && hex(await sha256(content)) === sum;

async function checkManifest(files: Files): Promise<Manifest> {
  const bytes = files.get("manifest.json") ?? broken("there is no manifest.json");
  const signature = files.get("manifest.sig") ?? broken("there is no manifest.sig");
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text.decode(bytes)) as Manifest;
  } catch {
    return broken("manifest.json can't be read");
  }
  if (manifest.format !== packageFormat) broken(`this is no package of the format ${packageFormat}`);
  if (!(await isSigned(unhex(manifest.publicKey), bytes, signature))) {
    for (const listed of manifest.files) {
      if (await isAsListed(files.get(listed.name), listed)) continue;
      broken(`the signature over the manifest is wrong, and what it says of the file ${listed.name} is not so`);
    }
    broken("the signature over the manifest is wrong: manifest.json or manifest.sig was changed");
  }
  const named = new Set(["manifest.json", "manifest.sig"]);
  for (const listed of manifest.files) {
    const { name } = listed;
    if (!files.has(name)) broken(`the file ${name} is missing`);
    if (!(await isAsListed(files.get(name), listed))) await brokenFile(name, files);
    named.add(name);
  }
  for (const name of files.keys()) if (!named.has(name)) broken(`the file ${name} was put in afterwards`);
  return manifest;
}

/** Says which file was changed, and what inside of it as far as it can be told. @throws Error always */
async function brokenFile(name: string, files: Files): Promise<never> {
  let where: string | undefined;
  try {
    const manifest = JSON.parse(text.decode(files.get("manifest.json"))) as Manifest;
    where = await insideOf(name, files, {
      record: (index) => checkRecord(files, index),
      checkpoint: (line) => checkCheckpoint(JSON.parse(line) as PackedCheckpoint, manifest),
      asOf: () => checkAsOf(files, manifest),
    });
  } catch {
    // What would tell can't be read itself.
  }
  return broken(`the file ${name} was changed${where === undefined ? "" : `: ${where}`}`);
}

/** Roots by partition and size, each under the notary's signature. */
async function checkCheckpoints(files: Files, signer: Signer): Promise<Map<string, string>> {
  const roots = new Map<string, string>();
  for (const line of linesOf(files.get("checkpoints.jsonl") ?? broken("there is no checkpoints.jsonl"))) {
    const checkpoint = JSON.parse(line) as PackedCheckpoint;
    await checkCheckpoint(checkpoint, signer);
    const { topic, partition, size, root } = checkpoint;
    roots.set(`${topic}/${partition}/${size}`, hex(base64(root)));
  }
  return roots;
}

/** Lines of the three files that tell of records, one of each a record. */
function recordLines(files: Files) {
  const [records, proofs, shown] = ["records.jsonl", "proofs.jsonl", "events.jsonl"].map((name) =>
    linesOf(files.get(name) ?? broken(`there is no ${name}`)),
  ) as [string[], string[], string[]];
  if (proofs.length !== records.length || shown.length !== records.length) broken("records and proofs are not as many");
  return { records, proofs, shown };
}

/** Compares a record with its text and with the checkpoint that it is proven by. @throws Error naming its place. */
async function checkRecord(
  files: Files,
  index: number,
  { records, proofs, shown } = recordLines(files),
  roots?: ReadonlyMap<string, string>,
): Promise<void> {
  const record = JSON.parse(records[index] as string) as PackedRecord;
  const proof = JSON.parse(proofs[index] as string) as PackedProof;
  const leaf = await leafOfRecord(record, proof.before);
  const root = await rootOf(leaf, record.offset, proof.size, proof.path.map(base64));
  const name = `${record.topic}/${record.partition}/${proof.size}`;
  const signed = roots ?? rootsAsWritten(files);
  if (signed.get(name) !== hex(root)) broken(`the record at ${placeOf(record)} is not in the log that was signed`);
  if (shownOf(record, files) !== shown[index]) {
    broken(`the text of the record at ${placeOf(record)} is not what its bytes say`);
  }
}

/** Roots without a look at their signatures: only to find what was changed. */
function rootsAsWritten(files: Files): Map<string, string> {
  const lines = linesOf(files.get("checkpoints.jsonl") ?? new Uint8Array());
  return new Map(
    lines.map((line) => {
      const { topic, partition, size, root } = JSON.parse(line) as PackedCheckpoint;
      return [`${topic}/${partition}/${size}`, hex(base64(root))];
    }),
  );
}

async function checkRecords(files: Files, roots: ReadonlyMap<string, string>): Promise<PackedRecord[]> {
  const lines = recordLines(files);
  for (const index of lines.records.keys()) await checkRecord(files, index, lines, roots);
  return lines.records.map((line) => JSON.parse(line) as PackedRecord);
}

/** What is said of events and units. A package of a period may begin between a unit and its event. */
function unitsText({ held, unknown }: UnitsChecked): string[] {
  const told = held > 0 ? [`Each of ${held} events is what the unit that it names holds, byte for byte.`] : [];
  return unknown === 0 ? told : [...told, `Of ${unknown} events the units are not in here: nothing is said of them.`];
}

async function opened(bytes: Uint8Array): Promise<Files> {
  try {
    return openArchive(bytes);
  } catch (error) {
    if (error instanceof ChangedContent && error.files.has("manifest.json")) {
      return brokenFile(error.file, error.files);
    }
    throw error;
  }
}

/**
 * Says whether a package is as it was made, and whether its records are those of the signed log.
 * @param bytes of the archive.
 * @param trusted public key in hexadecimal, got from elsewhere; without it only the package's own is known.
 */
export async function checkPackage(bytes: Uint8Array, trusted?: string): Promise<Verdict> {
  try {
    const files = await opened(bytes);
    const manifest = await checkManifest(files);
    const key = await fingerprintOf(manifest.publicKey);
    if (trusted !== undefined && trusted.trim().toLowerCase() !== manifest.publicKey) {
      broken(`it is signed by another key (fingerprint ${key}) than the one you trust`);
    }
    const records = await checkRecords(files, await checkCheckpoints(files, manifest));
    const known = await checkAsOf(files, manifest);
    const { kind, id } = manifest.subject;
    const units = checkUnits(records, files, { installation: manifest.installation, isWhole: kind !== "period" });
    if (units.stray !== undefined)
      return {
        ok: false,
        lines: [
          "NO: not all that this package tells was received from a partner.",
          `First thing found: ${units.stray}. Somebody else than the publisher wrote it.`,
          `The package itself is as it was made, and its ${records.length} records stand in the log that was signed.`,
        ],
      };
    return yes(
      [
        "YES: this package is as it was made.",
        `It is about the ${kind} ${id}, and was made on ${manifest.madeAt} by ${manifest.madeBy}.`,
        `None of its ${manifest.files.length} files was changed, left out or added.`,
        `Each of its ${records.length} records stands in the log that was signed, at its place, byte for byte.`,
        ...unitsText(units),
        ...known,
      ],
      key,
      trusted,
    );
  } catch (error) {
    return no("this package is not as it was made", error);
  }
}

/** Says the same of whatever it is given: a package, a single proof, or the manifest of an as-of. */
export async function checkFile(bytes: Uint8Array, trusted?: string): Promise<Verdict> {
  if (bytes[0] !== "{".charCodeAt(0)) return checkPackage(bytes, trusted);
  return (await checkState(bytes, trusted)) ?? checkProof(bytes, trusted);
}
