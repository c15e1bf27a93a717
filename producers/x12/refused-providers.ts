import { statusesOf, verdictOf } from "./status-codes.js";
import type { Segment } from "./tokenizer.js";

/**
 * Providers of which a 277CA turns all claims away (005010X214, loop 2200C), gathered in the first pass: none of their
 * claims follows, and they may stand anywhere in the set.
 */
export interface RefusedProviders {
  /** Category codes by the provider's NPI, else the id given. */
  readonly providers: Map<string, Set<string>>;
  /** There were more than are kept. */
  isCut: boolean;
  /** HL03 of the level that is being read, and its provider. */
  level: string;
  provider: string;
}

/** Most that are kept of a set: each is an event of one record of the log. */
const most = 5_000;
/** Most codes of one of them: there are a score, and a sender may write anything. */
const mostCodes = 100;

export function noRefusals(): RefusedProviders {
  return { providers: new Map(), isCut: false, level: "", provider: "" };
}

export function addToRefusals(refused: RefusedProviders, segment: Segment): void {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  if (segment.id === "HL") [refused.level, refused.provider] = [at(3), ""];
  if (refused.level !== "19") return;
  if (segment.id === "NM1") refused.provider = at(9);
  if (segment.id !== "STC" || refused.provider === "") return;
  const statuses = statusesOf(segment, null);
  if (verdictOf(statuses) !== "REJECTED") return;
  const codes = refused.providers.get(refused.provider) ?? new Set<string>();
  if (codes.size === 0 && refused.providers.size >= most) {
    refused.isCut = true;
    return;
  }
  refused.providers.set(refused.provider, codes);
  for (const { category } of statuses) {
    if (codes.size < mostCodes) codes.add(category);
    else if (!codes.has(category)) refused.isCut = true;
  }
}
