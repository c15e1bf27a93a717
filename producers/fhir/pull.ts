import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { AccessToken } from "./access-token.js";
import { Asking } from "./asking.js";
import { readExport } from "./bulk-export.js";
import { Changes } from "./changes.js";
import type { Desk } from "./desk.js";
import type { Profile } from "./profile.js";
import { PullCursor } from "./pull-cursor.js";
import { receiveLines } from "./receive-lines.js";

/** How a partner's server is asked, from its profile. */
type Pull = NonNullable<Profile["pull"]>;

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
 * Asks the servers of partners whose profile says so: by `_history`, by search, or by export (FHIR Bulk Data). The cursor
 * is kept when the journal has what is before it; read again, a version is its own resend, so a lost cursor makes work and
 * no event.
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
  readonly #cursor: PullCursor;
  readonly #changes: Changes;
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
    this.#cursor = new PullCursor(options.inbox, partner, pull.overlapSeconds * 1000, pull.from);
    this.#changes = new Changes({
      ...{ partner, pull, desk, stop, asking: this.#asking, cursor: this.#cursor },
      ...{ logger: options.logger, pageLimit: options.pageLimit },
    });
  }

  wake(): void {
    this.#woken.abort();
  }

  async run(): Promise<void> {
    while (!this.#stop.aborted) {
      // A type that the server refuses keeps none of the others from being read.
      if (this.#pull.by === "export") await this.#try(() => this.#export());
      else for (const type of this.#pull.types) await this.#try(() => this.#changes.take(type), type);
      const signal = AbortSignal.any([this.#stop, this.#woken.signal]);
      await wait(this.#pull.everySeconds * 1000, undefined, { signal }).catch(() => {});
      this.#woken = new AbortController();
    }
  }

  /** Its server or our log may be away: what was journalled is known, the rest is read the next time. */
  async #try(read: () => Promise<void>, type?: string): Promise<void> {
    try {
      if (!this.#stop.aborted) await read();
    } catch (error) {
      const { logger } = this.#options;
      if (!this.#stop.aborted)
        logger.warn({ err: error, partner: this.#partner, type }, "A partner's server could not be read");
    }
  }

  async #export(): Promise<void> {
    await readExport({
      ...{ base: this.#pull.base, types: this.#pull.types, asking: this.#asking },
      ...{ logger: this.#options.logger, partner: this.#partner },
      cursor: () => this.#cursor.exported(),
      keep: (cursor) => this.#cursor.keepExport(cursor),
      take: (body) => receiveLines(body, this.#partner, this.#desk, this.#options.lineLimit),
    });
  }
}
