import type { Attempt } from "./destination.js";

/** Longest wait that a partner's Retry-After is believed. */
const longestAfter = 3_600_000;

/** Statuses that speak of the moment, not of what was sent. */
const passing = new Set([408, 425, 429]);

/**
 * What an HTTP status says about a delivery. 2xx: the partner has it. 408, 425, 429 and 5xx may be over later. Everything
 * else is final: other 4xx refuse what was sent, and a redirect is never followed.
 */
export function judgeStatus(status: number): Pick<Attempt, "outcome" | "reason"> {
  if (status >= 200 && status <= 299) return { outcome: "delivered", reason: null };
  if (passing.has(status) || status >= 500) return { outcome: "transient", reason: `the partner answered ${status}` };
  if (status >= 300 && status <= 399)
    return { outcome: "refused", reason: `the partner answered ${status}, a redirect, which is not followed` };
  return { outcome: "refused", reason: `the partner refuses it with ${status}` };
}

/**
 * Reads a Retry-After header (RFC 9110): seconds, or a date.
 * @param now epoch milliseconds.
 * @returns milliseconds, at most an hour; undefined when there is none that can be read.
 */
export function retryAfter(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? "";
  const milliseconds = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  if (Number.isNaN(milliseconds)) return undefined;
  return Math.min(longestAfter, Math.max(0, milliseconds));
}

export interface BackoffOptions {
  /** Longest first wait in milliseconds, doubled with each attempt; default 500. */
  readonly shortest?: number;
  /** Longest wait in milliseconds; default 60,000. */
  readonly longest?: number;
}

/**
 * Milliseconds to wait after a failed attempt: doubled each time, and between half and all of that, so that many keys do
 * not come back at once; never before what the partner asked for.
 * @param attempts made so far, from 1.
 * @param random from 0 up to 1.
 */
export function backoff(
  attempts: number,
  random: number,
  after = 0,
  { shortest = 500, longest = 60_000 }: BackoffOptions = {},
): number {
  const whole = Math.min(longest, shortest * 2 ** Math.min(attempts - 1, 30));
  return Math.max(after, whole / 2 + (whole / 2) * random);
}
