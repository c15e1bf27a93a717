import type { Logger } from "pino";
import { type Asking, Refusal } from "./asking.js";
import type { BundleHead } from "./bundle.js";
import type { Desk } from "./desk.js";
import { children, type Element, isElement, text } from "./element.js";
import { asSorted, inOrder, OutOfOrder } from "./history-order.js";
import { openBody } from "./open-body.js";
import { PageSpool } from "./page-spool.js";
import type { Profile } from "./profile.js";
import type { PullCursor } from "./pull-cursor.js";
import { bundleOf, type PulledEntry, pulledEntries } from "./pulled-entry.js";
import { receiveBundle } from "./receive-bundle.js";

export interface ChangesOptions {
  readonly partner: string;
  readonly pull: NonNullable<Profile["pull"]>;
  readonly desk: Desk;
  readonly asking: Asking;
  readonly cursor: PullCursor;
  readonly logger: Logger;
  /** Most bytes of a page. */
  readonly pageLimit: number;
  readonly stop: AbortSignal;
}

/** Most entries that are journalled before the cursor is moved. */
const batchEntries = 200;

interface Page {
  readonly bundle: BundleHead;
  readonly entries: readonly PulledEntry[];
}

/** A part of what was asked for. */
interface Part {
  readonly as: "history" | "searchset";
  readonly entries: readonly PulledEntry[];
  readonly since: string | undefined;
  /** Whether nothing older is still to come. */
  readonly moves: boolean;
}

/** What changed on a partner's server, by the history of a type or by search. */
export class Changes {
  readonly #options: ChangesOptions;
  /** Types of whose versions the server keeps a history, as it says; undefined until it was asked. */
  #histories: Set<string> | undefined;
  /** Types whose histories the server does not sort as it is asked to. */
  readonly #unsorted = new Set<string>();

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Takes in what changed of a type. @throws when the server or the journal is away: the next time begins where it ended. */
  async take(type: string): Promise<void> {
    const { by } = this.#options.pull;
    if (by === "history") return this.#history(type);
    if (by === "changes" && (await this.#hasHistory(type))) {
      try {
        return await this.#history(type);
      } catch (error) {
        if (!(error instanceof Refusal) || ![404, 405, 501].includes(error.status)) throw error;
        const { logger, partner } = this.#options;
        logger.warn(
          { partner, type, status: error.status },
          "A partner's server names a history that it does not give",
        );
        this.#histories?.delete(type);
      }
    }
    return this.#search(type);
  }

  async #hasHistory(type: string): Promise<boolean> {
    this.#histories ??= await this.#told();
    return this.#histories.has(type);
  }

  /** Types whose `history-type` the CapabilityStatement names. A server without one has none. */
  async #told(): Promise<Set<string>> {
    const { asking, pull, pageLimit } = this.#options;
    try {
      const statement: unknown = JSON.parse(
        (await asking.bytes(`${pull.base}/metadata`, "application/fhir+json", pageLimit)).toString("utf8"),
      );
      return historiesOf(isElement(statement) ? statement : {});
    } catch (error) {
      const isNone = error instanceof SyntaxError || (error instanceof Refusal && error.isFinal);
      if (isNone) return new Set();
      throw error;
    }
  }

  /** Every version made since, and every deletion, the oldest first. */
  async #history(type: string): Promise<void> {
    if (!this.#unsorted.has(type) && (await this.#sortedHistory(type))) return;
    this.#unsorted.add(type);
    await this.#spooledHistory(type);
  }

  /**
   * A history from a server that sorts it as it is asked to: a page is taken when the next has begun.
   * @returns whether the server does; else the cursor is where it was.
   */
  async #sortedHistory(type: string): Promise<boolean> {
    const { cursor, logger, partner } = this.#options;
    const [since, latest] = [await cursor.since(type), await cursor.latest(type)];
    const pages = this.#pages(this.#historyOf(type, since, { _sort: "_lastUpdated" }));
    const read = async function* (this: Changes) {
      for await (const bytes of pages) {
        const { bundle, entries } = this.#read(bytes);
        if (!saysSorted(bundle)) throw new OutOfOrder();
        yield entries;
      }
    }.bind(this);
    try {
      for await (const entries of asSorted(read()))
        await this.#journal(type, { as: "history", entries, since, moves: true });
      return true;
    } catch (error) {
      // A server may refuse a parameter that it doesn't know (FHIR R4, 3.1.1.1).
      const isRefused = error instanceof Refusal && error.status === 400;
      if (!isRefused && !(error instanceof OutOfOrder)) throw error;
      if ((await cursor.latest(type)) !== latest) {
        await cursor.goBack(type, latest);
        logger.warn({ partner, type }, "A partner's server does not sort a history as it says: it is read once more");
      }
      return false;
    }
  }

  /**
   * A history from a server that gives the newest first: all pages are read before the first is taken, for nothing tells
   * where the oldest begin. Pages go to a file, and their bytes have a limit.
   */
  async #spooledHistory(type: string): Promise<void> {
    const spool = new PageSpool(this.#options.pull.historyLimit);
    try {
      const since = await this.#options.cursor.since(type);
      for await (const bytes of this.#pages(this.#historyOf(type, since))) await spool.add(bytes);
      const page = async (index: number) => this.#read(await spool.page(index)).entries;
      for await (const entries of inOrder(spool.count, page))
        await this.#journal(type, { as: "history", entries, since, moves: true });
    } finally {
      await spool.release();
    }
  }

  #historyOf(type: string, since: string | undefined, more: Record<string, string> = {}): string {
    const query = new URLSearchParams({ _count: String(this.#options.pull.count), ...more });
    if (since !== undefined) query.set("_since", since);
    return `${type}/_history?${query}`;
  }

  /**
   * Resources changed since, in the order of their change where the server sorts them. While it doesn't say that it does,
   * the cursor only moves when all of them are in the journal.
   */
  async #search(type: string): Promise<void> {
    const since = await this.#options.cursor.since(type);
    const query = new URLSearchParams({ _sort: "_lastUpdated", _count: String(this.#options.pull.count) });
    if (since !== undefined) query.set("_lastUpdated", `ge${since}`);
    let newest: PulledEntry | undefined;
    let sorted = true;
    for await (const bytes of this.#pages(`${type}?${query}`)) {
      const { bundle, entries } = this.#read(bytes);
      sorted &&= saysSorted(bundle);
      for (const entry of entries) {
        if (newest !== undefined && entry.time < newest.time) sorted = false;
        else newest = entry;
      }
      await this.#journal(type, { as: "searchset", entries, since, moves: sorted });
    }
    if (newest !== undefined && !sorted) await this.#options.cursor.took(type, [newest], true);
  }

  async *#pages(path: string): AsyncGenerator<Buffer> {
    const { asking, pull, pageLimit, stop } = this.#options;
    const asked = new Set<string>();
    let next: string | undefined = `${pull.base}/${path}`;
    while (next !== undefined) {
      stop.throwIfAborted();
      if (asked.has(next)) throw new Error("the server's pages run in a circle");
      asked.add(next);
      const bytes = await asking.bytes(next, "application/fhir+json", pageLimit);
      yield bytes;
      const link = children(this.#read(bytes).bundle.head, "link").find(({ relation }) => relation === "next");
      next = asking.within(text(link, "url"));
    }
  }

  #read(bytes: Buffer): Page {
    const found = openBody(bytes);
    if (!("bundle" in found)) throw new Error("a page of the server is no bundle");
    return { bundle: found.bundle, entries: pulledEntries(bytes, found.bundle.spans) };
  }

  async #journal(type: string, { as, entries, since, moves }: Part): Promise<void> {
    const { cursor, desk, partner, stop } = this.#options;
    const fresh = await cursor.fresh(type, entries, since);
    for (let start = 0; start < fresh.length; start += batchEntries) {
      stop.throwIfAborted();
      const batch = fresh.slice(start, start + batchEntries);
      const bytes = bundleOf(as, batch);
      const found = openBody(bytes);
      if (!("bundle" in found)) throw new Error("a page of the server can't be taken apart");
      await receiveBundle(bytes, found.bundle, partner, desk);
      await cursor.took(type, batch, moves);
    }
  }
}

function historiesOf(statement: Element): Set<string> {
  const types = new Set<string>();
  for (const rest of children(statement, "rest")) {
    if (rest.mode !== "server") continue;
    for (const resource of children(rest, "resource")) {
      const type = text(resource, "type");
      const names = children(resource, "interaction").some(({ code }) => code === "history-type");
      if (type !== undefined && names) types.add(type);
    }
  }
  return types;
}

/** The link `self` has the parameters that the server really used (FHIR R4, 3.1.1.1.2). */
function saysSorted({ head }: BundleHead): boolean {
  const self = text(
    children(head, "link").find(({ relation }) => relation === "self"),
    "url",
  );
  return self !== undefined && /[?&]_sort=_lastUpdated(?:&|$)/.test(self);
}
