import type { Pool } from "../store/pool.js";

/** An accepted entry with an identity, as the ledger sees it. Hashes are UUID texts. */
export interface LedgerEntry {
  readonly offset: number;
  readonly receiptId: string;
  readonly rule: "EVERY" | "LATEST";
  /** Keyed hash of the identity; under `LATEST`, of the content. */
  readonly identity: string;
  /** Keyed hash of the resource, under `LATEST`. */
  readonly resource: string | null;
  readonly controlKey: string | null;
  /** Offset of the unit of which this is a translation made again; null for a unit as received. */
  readonly origin: number | null;
}

export interface LedgerPosition {
  readonly partition: number;
  readonly offset: number;
}

/** What was kept of a resource under `LATEST`. */
export interface LatestContent {
  /** Of the unit as received, also where a translation made again is what was published of it. */
  readonly offset: number;
  readonly content: string;
  readonly receiptId: string;
}

/** What the ledger holds on the entries of a batch. Whatever is absent is new with this batch. */
export interface LedgerState {
  /** First position by identity, also those of this batch when it was decided before. */
  readonly first: ReadonlyMap<string, LedgerPosition>;
  /** Last content below the batch, by resource. */
  readonly latest: ReadonlyMap<string, LatestContent>;
  /** Identity that first came under a control id, by control key. */
  readonly controls: ReadonlyMap<string, string>;
}

export interface Decision {
  /** Where the same came before; undefined: it is published. */
  readonly resendOf: LedgerPosition | undefined;
  /** Another identity came under this control id before. */
  readonly reusedId: boolean;
  /** Under `LATEST`: what comes next is compared with it. */
  readonly isLatest: boolean;
}

/** Whether an entry stands behind what was published of its resource: a unit translated again comes into its own place. */
export const isBehind = (before: { readonly offset: number }, origin: number | null): boolean =>
  origin !== null && before.offset > origin;

/**
 * Which entries of one journal partition are resends. A function of positions and the ledger alone: it decides the same
 * however often and by whomever it is asked.
 * @param entries in the order of offsets.
 */
export function decide(partition: number, entries: readonly LedgerEntry[], state: LedgerState): readonly Decision[] {
  const first = new Map<string, LedgerPosition>();
  const latest = new Map<string, LatestContent>();
  const controls = new Map<string, string>();
  return entries.map((entry) => {
    let resendOf: LedgerPosition | undefined;
    let isLatest = false;
    if (entry.rule === "EVERY") {
      const position = state.first.get(entry.identity) ?? first.get(entry.identity);
      if (!position) first.set(entry.identity, { partition, offset: entry.offset });
      else if (position.partition !== partition || position.offset !== entry.offset) resendOf = position;
    } else {
      const resource = entry.resource ?? "";
      const before = latest.get(resource) ?? state.latest.get(resource);
      if (before && (before.content === entry.identity || before.receiptId === entry.receiptId)) {
        resendOf = { partition, offset: before.offset };
      } else if (!before || !isBehind(before, entry.origin)) {
        isLatest = true;
        latest.set(resource, contentOf(entry));
      }
    }
    // Asked of resends too: like the claim in Postgres, it remembers who came first under the control id.
    const reused = isReused(entry, state.controls, controls);
    return { resendOf, reusedId: reused && resendOf === undefined, isLatest };
  });
}

const contentOf = ({ origin, offset, identity, receiptId }: LedgerEntry): LatestContent => ({
  offset: origin ?? offset,
  content: identity,
  receiptId,
});

function isReused(entry: LedgerEntry, kept: ReadonlyMap<string, string>, seen: Map<string, string>): boolean {
  if (entry.controlKey === null) return false;
  const before = kept.get(entry.controlKey) ?? seen.get(entry.controlKey);
  if (before === undefined) seen.set(entry.controlKey, entry.identity);
  return before !== undefined && before !== entry.identity;
}

/** The last content of each resource after a batch: what the checkpoint keeps. */
export function latestAfter(
  entries: readonly LedgerEntry[],
  decisions: readonly Decision[],
): ReadonlyMap<string, LatestContent> {
  const latest = new Map<string, LatestContent>();
  for (const [index, entry] of entries.entries()) {
    if (decisions[index]?.isLatest) latest.set(entry.resource ?? "", contentOf(entry));
  }
  return latest;
}

/** Whether each was published before: under `LATEST`, whether it equals the resource's last content. */
export async function knownIdentities(
  pool: Pool,
  asked: readonly { readonly identity: string; readonly resource: string | null }[],
): Promise<readonly boolean[]> {
  if (asked.length === 0) return [];
  const { rows } = await pool.query<{ known: boolean }>(
    `SELECT CASE WHEN asked.resource IS NULL
      THEN EXISTS (SELECT FROM engine.ledger AS kept WHERE kept.identity = asked.identity)
      ELSE EXISTS (SELECT FROM engine.ledger_latest AS kept
        WHERE kept.resource = asked.resource AND kept.content = asked.identity) END AS known
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (identity, resource, ordinal)
    ORDER BY asked.ordinal`,
    [asked.map(({ identity }) => identity), asked.map(({ resource }) => resource)],
  );
  return rows.map(({ known }) => known);
}
