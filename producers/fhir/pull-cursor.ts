import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeDurably } from "../../engine/reception/durable-file.js";
import type { ExportCursor } from "./bulk-export.js";
import { readMoment } from "./datetime.js";
import type { PulledEntry } from "./pulled-entry.js";

/** Up to where a partner's server has been read, as it is in the file. */
interface Cursor extends ExportCursor {
  /** `meta.lastUpdated` of the last version journalled, by type. */
  readonly updated: Readonly<Record<string, string>>;
  /** By type, the versions journalled that will be read again: their keys, each with its time. */
  readonly recent?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Most versions remembered of a type. Those forgotten are read again as resends, which make no event. */
const mostRemembered = 10_000;

/**
 * How far a partner's server was read: a file in the partner's folder, written when the journal has what is before it. Each
 * time begins somewhat before the last change, and what was journalled of that is known by its key.
 */
export class PullCursor {
  readonly #file: string;
  readonly #overlap: number;
  #known: Cursor | undefined;

  readonly #from: string | undefined;

  /**
   * @param overlap milliseconds before the last change at which the next time begins.
   * @param from instant from which the first time begins; undefined: from the beginning.
   */
  constructor(inbox: string, partner: string, overlap: number, from: string | undefined) {
    this.#file = join(inbox, partner, "cursor.json");
    this.#overlap = overlap;
    this.#from = from;
  }

  async #read(): Promise<Cursor> {
    if (this.#known) return this.#known;
    const content = await readFile(this.#file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    this.#known = content === undefined ? { updated: {} } : (JSON.parse(content) as Cursor);
    return this.#known;
  }

  async #keep(cursor: Cursor): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurably([this.#file], Buffer.from(`${JSON.stringify(cursor)}\n`));
    this.#known = cursor;
  }

  async exported(): Promise<ExportCursor> {
    const { exported, running } = await this.#read();
    return { exported, running };
  }

  async keepExport({ exported, running }: ExportCursor): Promise<void> {
    await this.#keep({ ...(await this.#read()), exported, running });
  }

  /** `meta.lastUpdated` of the last version of a type that the journal has, as far as nothing before it is missing. */
  async latest(type: string): Promise<string | undefined> {
    return (await this.#read()).updated[type];
  }

  /** Goes back to where it was: versions before what was taken since are still to come. */
  async goBack(type: string, latest: string | undefined): Promise<void> {
    const cursor = await this.#read();
    const { [type]: _later, ...others } = cursor.updated;
    await this.#keep({ ...cursor, updated: latest === undefined ? others : { ...others, [type]: latest } });
  }

  /** The instant from which a type is asked for; undefined: from the beginning. */
  async since(type: string): Promise<string | undefined> {
    const updated = await this.latest(type);
    if (updated === undefined) return this.#from;
    if (this.#overlap === 0) return updated;
    return new Date((readMoment(updated)?.time ?? 0) - this.#overlap).toISOString();
  }

  /**
   * Those of the entries that the journal doesn't have yet.
   * @param since what was asked for: a server that gives older ones all the same gave them before.
   */
  async fresh(type: string, entries: readonly PulledEntry[], since: string | undefined) {
    const recent = (await this.#read()).recent?.[type] ?? {};
    const from = since === undefined ? undefined : readMoment(since)?.time;
    const isAsked = ({ time, updated }: PulledEntry) => from === undefined || updated === undefined || time >= from;
    return entries.filter((entry) => isAsked(entry) && !Object.hasOwn(recent, entry.key));
  }

  /**
   * Keeps that the journal has entries.
   * @param moves whether nothing older is still to come: then the next time begins at the latest of them.
   */
  async took(type: string, entries: readonly PulledEntry[], moves: boolean): Promise<void> {
    const cursor = await this.#read();
    const before = cursor.updated[type];
    let updated = before;
    if (moves) for (const entry of entries) if (isLater(entry.updated, updated)) updated = entry.updated;
    const recent = { ...cursor.recent?.[type] };
    for (const { key, time } of entries) recent[key] = time;
    const from = updated === undefined ? Number.NEGATIVE_INFINITY : (readMoment(updated)?.time ?? 0) - this.#overlap;
    const kept = Object.entries(recent)
      .filter(([, time]) => time >= from)
      .sort(([, one], [, other]) => other - one)
      .slice(0, mostRemembered);
    await this.#keep({
      ...cursor,
      updated: updated === undefined ? cursor.updated : { ...cursor.updated, [type]: updated },
      recent: { ...cursor.recent, [type]: Object.fromEntries(kept) },
    });
  }
}

/** By the instant: a server may write one in several zones. */
function isLater(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined) return false;
  return other === undefined || (readMoment(one)?.time ?? 0) > (readMoment(other)?.time ?? 0);
}
