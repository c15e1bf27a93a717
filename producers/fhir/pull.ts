import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { writeDurably } from "../../engine/reception/durable-file.js";
import type { Desk } from "./desk.js";
import { child, children, type Element, isElement, text } from "./element.js";
import { openBody } from "./open-body.js";
import type { Profile } from "./profile.js";
import { receiveBundle } from "./receive-bundle.js";
import { receiveLines } from "./receive-lines.js";

/** How a partner's server is asked, from its profile. */
type Pull = NonNullable<Profile["pull"]>;

/** Up to where a partner's server has been read. */
interface Cursor {
  /** `meta.lastUpdated` of the last resource journalled, by type. */
  readonly updated: Readonly<Record<string, string>>;
  /** Time of the last whole export. */
  readonly exported?: string;
}

export interface PullOptions {
  /** Folder of the partners' folders; the cursor is a file in the partner's. */
  readonly inbox: string;
  readonly logger: Logger;
  /** Reads a credential by the name that the profile calls it. */
  readonly credentials: (reference: string) => string;
  /** Most bytes of a line. */
  readonly lineLimit: number;
  /** Most bytes of a page. */
  readonly pageLimit: number;
}

export interface Puller {
  /** Finishes what is in hand, then stops. */
  close(): Promise<void>;
}

/**
 * Asks the servers of partners whose profile says so: `search` by `_lastUpdated`, page by page, or `export` (FHIR Bulk
 * Data). The cursor is kept when the journal has what is before it; read again, a resource is its own resend, so a lost
 * cursor makes work and no event.
 */
export function startPulling(desk: Desk, options: PullOptions): Puller {
  const stop = new AbortController();
  const lanes: Promise<void>[] = [];
  for (const [partner, { pull }] of desk.profiles)
    if (pull) lanes.push(new Lane(partner, pull, desk, options, stop.signal).run());
  return {
    async close() {
      stop.abort();
      await Promise.all(lanes);
    },
  };
}

class Lane {
  readonly #partner: string;
  readonly #pull: Pull;
  readonly #desk: Desk;
  readonly #options: PullOptions;
  readonly #stop: AbortSignal;

  constructor(partner: string, pull: Pull, desk: Desk, options: PullOptions, stop: AbortSignal) {
    this.#partner = partner;
    this.#pull = pull;
    this.#desk = desk;
    this.#options = options;
    this.#stop = stop;
  }

  async run(): Promise<void> {
    while (!this.#stop.aborted) {
      try {
        if (this.#pull.by === "export") await this.#export();
        else for (const type of this.#pull.types) await this.#search(type);
      } catch (error) {
        // Its server or our log is away: what was journalled is known, the rest is read the next time.
        if (!this.#stop.aborted)
          this.#options.logger.warn({ err: error, partner: this.#partner }, "A partner's server could not be read");
      }
      await wait(this.#pull.everySeconds * 1000, undefined, { signal: this.#stop }).catch(() => {});
    }
  }

  get #file(): string {
    return join(this.#options.inbox, this.#partner, "cursor.json");
  }

  async #cursor(): Promise<Cursor> {
    const content = await readFile(this.#file, "utf8").catch(() => undefined);
    return content === undefined ? { updated: {} } : (JSON.parse(content) as Cursor);
  }

  async #keep(cursor: Cursor): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurably(this.#file, Buffer.from(`${JSON.stringify(cursor)}\n`));
  }

  /** Resources changed since the cursor, in the order of their change. The last instant is read again: it may have more. */
  async #search(type: string): Promise<void> {
    const since = (await this.#cursor()).updated[type];
    const query = new URLSearchParams({ _sort: "_lastUpdated", _count: "200" });
    if (since !== undefined) query.set("_lastUpdated", `ge${since}`);
    let next: string | undefined = `${this.#pull.base}/${type}?${query}`;
    while (next !== undefined && !this.#stop.aborted) {
      const bytes = await this.#page(next);
      const found = openBody(bytes);
      if (!("bundle" in found)) throw new Error("the answer to a search is no bundle");
      const { bundle } = found;
      await receiveBundle(bytes, bundle, this.#partner, this.#desk);
      const last = lastUpdated(bytes, bundle.spans);
      const cursor = await this.#cursor();
      if (last !== undefined && last > (cursor.updated[type] ?? ""))
        await this.#keep({ ...cursor, updated: { ...cursor.updated, [type]: last } });
      const link = children(bundle.head, "link").find(({ relation }) => relation === "next");
      next = this.#within(text(link, "url"));
    }
  }

  /** A page elsewhere would carry our credential there. */
  #within(url: string | undefined): string | undefined {
    if (url === undefined) return undefined;
    const there = new URL(url, `${this.#pull.base}/`);
    if (there.origin !== new URL(this.#pull.base).origin) throw new Error("the server names a page of another server");
    return there.href;
  }

  async #page(url: string): Promise<Buffer> {
    const response = await this.#ask(url, "application/fhir+json");
    const parts: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > this.#options.pageLimit) throw new Error("a page is larger than is taken");
      parts.push(Buffer.from(chunk));
    }
    return Buffer.concat(parts);
  }

  async #ask(url: string, accept: string, more: Record<string, string> = {}): Promise<Response> {
    const token =
      this.#pull.token === undefined ? {} : { authorization: `Bearer ${this.#options.credentials(this.#pull.token)}` };
    const response = await fetch(url, {
      headers: { accept, ...token, ...more },
      redirect: "error",
      signal: AbortSignal.any([this.#stop, AbortSignal.timeout(60_000)]),
    });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return response;
  }

  /** One whole export since the last: kick-off, wait, every file, then the cursor. */
  async #export(): Promise<void> {
    const { exported } = await this.#cursor();
    const query = new URLSearchParams({ _type: this.#pull.types.join(",") });
    if (exported !== undefined) query.set("_since", exported);
    const started = await this.#ask(`${this.#pull.base}/$export?${query}`, "application/fhir+json", {
      prefer: "respond-async",
    });
    const status = this.#within(started.headers.get("content-location") ?? undefined);
    if (status === undefined) throw new Error("the server starts no export");
    const manifest = await this.#manifest(status);
    for (const output of children(manifest, "output")) {
      const url = this.#within(text(output, "url"));
      if (url === undefined) continue;
      const file = await this.#ask(url, "application/fhir+ndjson");
      const body = file.body as unknown as AsyncIterable<Uint8Array>;
      await receiveLines(buffers(body), this.#partner, this.#desk, this.#options.lineLimit);
    }
    const time = text(manifest, "transactionTime");
    if (time !== undefined) await this.#keep({ ...(await this.#cursor()), exported: time });
  }

  async #manifest(url: string): Promise<Element> {
    for (;;) {
      const response = await this.#ask(url, "application/json");
      if (response.status === 200) {
        const manifest: unknown = await response.json();
        if (isElement(manifest)) return manifest;
        throw new Error("the export has no manifest");
      }
      const seconds = Number(response.headers.get("retry-after") ?? "5");
      await wait(Math.min(Math.max(Number.isFinite(seconds) ? seconds : 5, 0.05), 300) * 1000, undefined, {
        signal: this.#stop,
      });
    }
  }
}

async function* buffers(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body) yield Buffer.from(chunk);
}

/** The latest `meta.lastUpdated` of a page, in the server's own words. */
function lastUpdated(
  bytes: Buffer,
  spans: readonly { readonly start: number; readonly end: number }[],
): string | undefined {
  let last: string | undefined;
  for (const { start, end } of spans) {
    const entry = JSON.parse(bytes.toString("utf8", start, end)) as Element;
    const updated = text(child(child(entry, "resource"), "meta"), "lastUpdated");
    if (updated !== undefined && (last === undefined || updated > last)) last = updated;
  }
  return last;
}
