import { randomUUID } from "node:crypto";
import { access, link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { SignedTreeHead } from "./checkpoint.js";
import { chainHashes, signedHeads } from "./notary-store.js";
import { type ChainPlace, chainOrigin } from "./record-chain.js";

/** A signed head as it is kept outside of the database. */
export interface ExportedHead extends SignedTreeHead {
  /** Raw public key of who signed it, 32 bytes. */
  readonly publicKey: Buffer;
  /** Size of the head exported before; 0 for the first. */
  readonly previous: number;
  /** First four bytes of the chain after each record from `previous` on: they tell which record is the first that differs. */
  readonly marks: Buffer;
}

/** Bytes of the chain that are exported for each record. */
export const markBytes = 4;

const base64 = z.base64().transform((text) => Buffer.from(text, "base64"));
const exportedSchema = z.strictObject({
  origin: z.string(),
  size: z.number().int().positive(),
  root: base64,
  time: z.iso.datetime(),
  signature: base64,
  publicKey: base64,
  previous: z.number().int().min(0),
  marks: base64,
});

function textOf(head: ExportedHead): string {
  const fields: z.input<typeof exportedSchema> = {
    origin: chainOrigin(head),
    size: head.size,
    root: head.root.toString("base64"),
    time: new Date(head.signedAt).toISOString(),
    signature: head.signature.toString("base64"),
    publicKey: head.publicKey.toString("base64"),
    previous: head.previous,
    marks: head.marks.toString("base64"),
  };
  return `${JSON.stringify(fields)}\n`;
}

function headOf(place: ChainPlace, text: string): ExportedHead | undefined {
  try {
    const { origin, time, ...fields } = exportedSchema.parse(JSON.parse(text));
    return origin === chainOrigin(place) ? { ...place, ...fields, signedAt: Date.parse(time) } : undefined;
  } catch {
    return undefined;
  }
}

/** A head in a file by itself, whichever partition it is of; undefined when it is none. */
export async function readHead(path: string): Promise<ExportedHead | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const [, journal, topic, partition] = /"origin":"tributary\/([^/"]+)\/([^/"]+)\/(\d+)"/.exec(text) ?? [];
  if (journal === undefined || topic === undefined) return undefined;
  return headOf({ journal, topic, partition: Number(partition) }, text);
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

async function write(path: string, flag: "w" | "wx", text: string): Promise<void> {
  const file = await open(path, flag, 0o444);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What a file system says that knows no links, as buckets that are mounted. */
const unlinkable: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/**
 * Writes a file that is not there yet, whole or not at all whenever the process ends: under another name first, which a
 * reader takes no notice of. @throws EEXIST
 */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}.part`;
  await write(beside, "w", text);
  try {
    await link(beside, path);
  } catch (error) {
    if (!unlinkable.has(codeOf(error))) throw error;
    await write(path, "wx", text);
  } finally {
    // In a place where nothing can be deleted it stays.
    await unlink(beside).catch(() => {});
  }
}

/** What is found in the second place about a partition. */
export interface Exported {
  /** Smallest first. */
  readonly heads: readonly ExportedHead[];
  /** Sizes whose file can't be read as a head of this partition. */
  readonly unreadable: readonly number[];
}

/** What makes a folder the second place of an installation: without it the folder is another one, or isn't mounted. */
const markerName = "installation.json";

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    },
  );

/** None where there is no folder. */
const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });

/**
 * The second place of signed heads: a folder, which may be a bucket in which nothing is changed or deleted. A file a
 * head, `<journal>/<topic>/<partition>/<size>.json`, written once and never opened for writing again.
 */
export class SecondPlace {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  #folderOf({ journal, topic, partition }: ChainPlace): string {
    return join(this.folder, journal, topic, String(partition));
  }

  #pathOf(place: ChainPlace, size: number): string {
    return join(this.#folderOf(place), `${String(size).padStart(12, "0")}.json`);
  }

  #markerOf = (journal: string): string => join(this.folder, journal, markerName);

  /** Whether the folder is the second place of an installation: one of a version that marked none has heads in it. */
  async isOf(journal: string): Promise<boolean> {
    if (await isThere(this.#markerOf(journal))) return true;
    for (const topic of await namesIn(join(this.folder, journal))) {
      for (const partition of await this.partitions(journal, topic)) {
        if ((await this.sizes({ journal, topic, partition })).length > 0) return true;
      }
    }
    return false;
  }

  /** Makes the folder the second place of an installation; nothing happens where it is. */
  async begin(journal: string): Promise<void> {
    await mkdir(join(this.folder, journal), { recursive: true });
    const begun = { installation: journal, begun: new Date().toISOString() };
    await writeWhole(this.#markerOf(journal), `${JSON.stringify(begun)}\n`).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
  }

  /**
   * What the notary asks when it starts.
   * @param isNew nothing was signed yet: then an empty folder becomes the second place.
   * @throws TRIB_AUDIT_SECOND_PLACE_GONE when heads were signed, and this folder has never been told of one.
   */
  async open(journal: string, isNew: boolean): Promise<void> {
    if (isNew || (await this.isOf(journal))) return this.begin(journal);
    throw this.#isGone(journal);
  }

  #isGone(journal: string): TributaryError {
    const { folder } = this;
    return new TributaryError("TRIB_AUDIT_SECOND_PLACE_GONE", undefined, { folder, journal });
  }

  /** Partitions of a topic that have a folder, in any order. */
  async partitions(journal: string, topic: string): Promise<number[]> {
    const names = await namesIn(join(this.folder, journal, topic));
    return names.filter((name) => /^\d+$/.test(name)).map(Number);
  }

  /** Sizes that have a file, smallest first; none where there is no folder. */
  async sizes(place: ChainPlace): Promise<number[]> {
    const names = await namesIn(this.#folderOf(place));
    return names
      .flatMap((name) => /^(\d{12,})\.json$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((left, right) => left - right);
  }

  /** Undefined when the file is no head of this partition. */
  async read(place: ChainPlace, size: number): Promise<ExportedHead | undefined> {
    const head = headOf(place, await readFile(this.#pathOf(place, size), "utf8"));
    return head?.size === size ? head : undefined;
  }

  async readAll(place: ChainPlace): Promise<Exported> {
    const heads: ExportedHead[] = [];
    const unreadable: number[] = [];
    for (const size of await this.sizes(place)) {
      const head = await this.read(place, size);
      if (head) heads.push(head);
      else unreadable.push(size);
    }
    return { heads, unreadable };
  }

  /**
   * Keeps a head, once.
   * @throws TRIB_AUDIT_HISTORY_DIVERGED when another one of the same size is there; TRIB_AUDIT_SECOND_PLACE_GONE when the
   *   folder is no second place any more.
   */
  async keep(head: ExportedHead): Promise<void> {
    if (!(await isThere(this.#markerOf(head.journal)))) throw this.#isGone(head.journal);
    const path = this.#pathOf(head, head.size);
    await mkdir(this.#folderOf(head), { recursive: true });
    try {
      await writeWhole(path, textOf(head));
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      const there = await this.read(head, head.size);
      // A file that a crash cut off, where there is no linking, stays as it is: the next head vouches for all that it did.
      if (there && !(there.root.equals(head.root) && there.previous === head.previous)) {
        const { topic, partition, size } = head;
        throw new TributaryError("TRIB_AUDIT_HISTORY_DIVERGED", undefined, { topic, partition, size });
      }
    }
  }
}

/**
 * Brings the second place up to what is signed.
 * @param after size of the last head known to be there.
 * @returns size of the last head there now.
 */
export async function exportHeads(pool: Pool, place: ChainPlace, second: SecondPlace, after: number): Promise<number> {
  let previous = after;
  for (const head of await signedHeads(pool, place, after + 1)) {
    const marks: Buffer[] = [];
    for await (const piece of chainHashes(pool, place, previous, head.size)) {
      for (const { hash } of piece) marks.push(hash.subarray(0, markBytes));
    }
    await second.keep({ ...head, previous, marks: Buffer.concat(marks) });
    previous = head.size;
  }
  return previous;
}
