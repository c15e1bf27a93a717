import { setTimeout as wait } from "node:timers/promises";

/** How a partner's server is asked. */
export interface AskingOptions {
  /** Base of its server. */
  readonly base: string;
  /** The bearer token; undefined where it wants none. */
  readonly token: () => Promise<string | undefined>;
  /** Told that the server no longer takes it. @returns whether there may be another. */
  readonly tokenRefused: () => boolean;
  /** Longest time in milliseconds until an answer begins; what follows may take as long as the journal needs. */
  readonly answerWithin: number;
  /** Shortest and longest pause in milliseconds that the server may ask for. */
  readonly pauses: readonly [shortest: number, longest: number];
  readonly stop: AbortSignal;
}

/** The server answered, and not with what was asked for. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the server answers ${status}`);
    this.status = status;
  }

  /** What was asked for will not come by asking again: it is over, gone, or not ours. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500;
  }
}

/** Asks one partner's server. */
export class Asking {
  readonly #options: AskingOptions;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** An address that the server names, made whole; undefined of none. */
  whole(url: string | undefined): string | undefined {
    return url === undefined ? undefined : new URL(url, `${this.#options.base}/`).href;
  }

  isElsewhere(url: string): boolean {
    return new URL(url).origin !== new URL(this.#options.base).origin;
  }

  /** An address on the partner's own server. A page elsewhere would carry our credential there. */
  within(url: string | undefined): string | undefined {
    const there = this.whole(url);
    if (there !== undefined && this.isElsewhere(there)) throw new Error("the server names a page of another server");
    return there;
  }

  /**
   * Asks, and waits as long as the server says where it is busy (429 or 503 with Retry-After).
   * @throws {Refusal} another answer than 2xx.
   */
  async get(url: string, accept: string, more: Record<string, string> = {}): Promise<Response> {
    for (let renewed = false; ; ) {
      const response = await this.#once("GET", url, { accept, ...(await this.#proof(url)), ...more });
      if (response.ok) return response;
      await response.body?.cancel();
      if (response.status === 401 && !renewed && !this.isElsewhere(url) && this.#options.tokenRefused()) {
        renewed = true;
        continue;
      }
      const busy = response.status === 429 || response.status === 503;
      if (!busy || response.headers.get("retry-after") === null) throw new Refusal(response.status);
      await this.pauseAsTold(response);
    }
  }

  /** The whole of an answer. @throws {Refusal} another answer than 2xx. @throws when it is larger than the limit. */
  async bytes(url: string, accept: string, limit: number): Promise<Buffer> {
    const { body } = await this.get(url, accept);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > limit) throw new Error("a page is larger than is taken");
      parts.push(Buffer.from(chunk));
    }
    return Buffer.concat(parts);
  }

  /** Tells the server that something of it is no longer needed; that it may not know it is no trouble. */
  async dismiss(url: string): Promise<void> {
    try {
      const response = await this.#once("DELETE", url, await this.#proof(url));
      await response.body?.cancel();
    } catch {
      // It forgets by itself.
    }
  }

  /** Waits as `Retry-After` says, in seconds or as a date; five seconds where it says nothing. */
  async pauseAsTold(response: Response): Promise<void> {
    const { pauses, stop } = this.#options;
    const [shortest, longest] = pauses;
    await wait(Math.min(Math.max(toldPause(response), shortest), longest), undefined, { signal: stop });
  }

  /** The token goes to the partner's own server and nowhere else. */
  async #proof(url: string): Promise<Record<string, string>> {
    const token = this.isElsewhere(url) ? undefined : await this.#options.token();
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #once(method: string, url: string, headers: Record<string, string>): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error("the server does not answer")), this.#options.answerWithin);
    try {
      const signal = AbortSignal.any([this.#options.stop, late.signal]);
      return await fetch(url, { method, headers, redirect: "error", signal });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Milliseconds that `Retry-After` asks for. */
function toldPause(response: Response): number {
  const told = response.headers.get("retry-after") ?? "5";
  const seconds = Number(told);
  if (Number.isFinite(seconds)) return seconds * 1000;
  const date = Date.parse(told);
  return Number.isNaN(date) ? 5_000 : date - Date.now();
}
