import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { writeDurably } from "../../engine/reception/durable-file.js";
import { AccessToken } from "./access-token.js";
import { Asking } from "./asking.js";
import { type ExportCursor, readExport } from "./bulk-export.js";
import { readMoment } from "./datetime.js";
import type { Desk } from "./desk.js";
import { child, children, type Element, text } from "./element.js";
import { openBody } from "./open-body.js";
import type { Profile } from "./profile.js";
import { receiveBundle } from "./receive-bundle.js";
import { receiveLines } from "./receive-lines.js";

/** How a partner's server is asked, from its profile. */
type Pull = NonNullable<Profile["pull"]>;

/** Up to where a partner's server has been read. */
interface Cursor extends ExportCursor {
  /** `meta.lastUpdated` of the last resource journalled, by type. */
  readonly updated: Readonly<Record<string, string>>;
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
  /** Longest time in milliseconds until a server's answer begins; default 60,000. */
  readonly answerWithin?: number;
  /** Shortest and longest pause in milliseconds that a server may ask for; default: a second, five minutes. */
  readonly pauses?: readonly [shortest: number, longest: number];
}

/** Shortest and longest pause that a server may ask for, in milliseconds. */
const pauses = [1_000, 300_000] as const;

export interface Puller {
  /** Asks a partner's server now, rather than when its time has come. @returns false when it is never asked. */
  wake(partner: string): boolean;
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
  const lanes = new Map<string, Lane>();
  for (const [partner, { pull }] of desk.profiles)
    if (pull) lanes.set(partner, new Lane(partner, pull, desk, options, stop.signal));
  const running = [...lanes.values()].map((lane) => lane.run());
  return {
    wake(partner) {
      lanes.get(partner)?.wake();
      return lanes.has(partner);
    },
    async close() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

const clientOf = ({ id, key, scope, tokenUrl }: NonNullable<Pull["client"]>, read: PullOptions["credentials"]) => ({
  endpoint: tokenUrl,
  client: () => ({ id, key: read(key), scope }),
});

class Lane {
  readonly #partner: string;
  readonly #pull: Pull;
  readonly #desk: Desk;
  readonly #options: PullOptions;
  readonly #stop: AbortSignal;
  readonly #asking: Asking;
  /** Ends the pause between two times; what comes while it is asked makes the next pause none. */
  #woken = new AbortController();

  constructor(partner: string, pull: Pull, desk: Desk, options: PullOptions, stop: AbortSignal) {
    this.#partner = partner;
    this.#pull = pull;
    this.#desk = desk;
    this.#options = options;
    this.#stop = stop;
    const { base, token, client } = pull;
    const answerWithin = options.answerWithin ?? 60_000;
    const granted = client && new AccessToken({ base, stop, answerWithin, ...clientOf(client, options.credentials) });
    this.#asking = new Asking({
      ...{ base, stop, answerWithin, pauses: options.pauses ?? pauses },
      token: async () => (granted ? granted.get() : token === undefined ? undefined : options.credentials(token)),
      tokenRefused() {
        granted?.forget();
        return granted !== undefined;
      },
    });
  }

  wake(): void {
    this.#woken.abort();
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
      const signal = AbortSignal.any([this.#stop, this.#woken.signal]);
      await wait(this.#pull.everySeconds * 1000, undefined, { signal }).catch(() => {});
      this.#woken = new AbortController();
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
    await writeDurably([this.#file], Buffer.from(`${JSON.stringify(cursor)}\n`));
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
      if (last !== undefined && isLater(last, cursor.updated[type]))
        await this.#keep({ ...cursor, updated: { ...cursor.updated, [type]: last } });
      const link = children(bundle.head, "link").find(({ relation }) => relation === "next");
      next = this.#asking.within(text(link, "url"));
    }
  }

  async #page(url: string): Promise<Buffer> {
    const response = await this.#asking.get(url, "application/fhir+json");
    const parts: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > this.#options.pageLimit) throw new Error("a page is larger than is taken");
      parts.push(Buffer.from(chunk));
    }
    return Buffer.concat(parts);
  }

  async #export(): Promise<void> {
    await readExport({
      ...{ base: this.#pull.base, types: this.#pull.types, asking: this.#asking },
      ...{ logger: this.#options.logger, partner: this.#partner },
      cursor: () => this.#cursor(),
      keep: async ({ exported, running }) => this.#keep({ updated: (await this.#cursor()).updated, exported, running }),
      take: (body) => receiveLines(body, this.#partner, this.#desk, this.#options.lineLimit),
    });
  }
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
    if (updated !== undefined && isLater(updated, last)) last = updated;
  }
  return last;
}

/** By the instant: a server may write one in several zones. */
function isLater(one: string, other: string | undefined): boolean {
  if (other === undefined) return true;
  return (readMoment(one)?.time ?? 0) > (readMoment(other)?.time ?? 0);
}
