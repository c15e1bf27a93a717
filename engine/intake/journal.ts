import { createHash } from "node:crypto";
import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { Log } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import { type DataKey, keyText } from "../vault/data-key.js";
import { openUnit } from "../vault/sealed-unit.js";
import type { Vault } from "../vault/vault.js";
import { decodeEntries, type EntryCodec } from "./decode-entries.js";
import { uuidOf } from "./keyed-hash.js";
import type { LedgerPosition } from "./ledger.js";

/** One unit of the journal, as `intake list` shows it. */
export interface ListedEntry {
  readonly partition: number;
  readonly offset: number;
  readonly partner: string;
  readonly feed: string;
  readonly connector: string;
  readonly format: string;
  readonly receiptId: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  /** SHA-256 of the exact bytes, hexadecimal; null without a vault, after an erasure, and for a truncated unit. */
  readonly unitSha256: string | null;
  /** Null without a vault, after an erasure, and where the unit had none. */
  readonly controlId: string | null;
  readonly accepted: boolean;
  readonly code: string | null;
  readonly location: string | null;
  readonly flags: readonly string[];
  readonly answer: string | null;
  /** Where the same came first, once the publisher has decided. */
  readonly resendOf: LedgerPosition | null;
  /** Nobody sent it again: the log's answer was lost, and one reception was journalled once more. */
  readonly journalledAgain: boolean;
  /** Another content came first under its control id. */
  readonly reusedId: boolean;
  /** Events published for it: none for a resend. */
  readonly events: number;
}

export interface JournalFilter {
  readonly partner?: string;
  readonly connector?: string;
  readonly accepted?: boolean;
  readonly code?: string;
  /** Received at or after, epoch milliseconds. */
  readonly since?: number;
  /** Received before. */
  readonly until?: number;
}

export interface JournalSource {
  readonly log: Log;
  readonly pool: Pool;
  readonly codec: EntryCodec;
  /** Given only where the reader may open units. */
  readonly vault?: Vault;
  readonly filter?: JournalFilter;
}

/** The journal's units as they stand when called, partition by partition in order. Envelopes are left out. */
export async function* listEntries({
  log,
  pool,
  codec,
  vault,
  filter = {},
}: JournalSource): AsyncIterable<ListedEntry> {
  for (const { partition, low, high } of await log.watermarks(journalTopic)) {
    /** Last content by resource: a `LATEST` resend can only be known from what came before it. */
    const latest = new Map<string, { content: string; offset: number }>();
    const receipts = new RecentReceipts();
    for await (const records of log.read(journalTopic, partition, low, high)) {
      const decoded = await decodeEntries(codec, records);
      const entries = decoded.map((entry, index) => ({ entry, offset: records[index]?.offset ?? 0 }));
      const [firsts, named] = await Promise.all([
        firstPositions(
          pool,
          entries.map(({ entry }) => entry),
        ),
        firstNamed(
          pool,
          entries.map(({ entry }) => entry),
        ),
      ]);
      const shown = entries.flatMap(({ offset, entry }) => {
        const resendOf = resendOfEntry(entry, { partition, offset }, firsts, latest);
        const journalledAgain = entry.origin === null && receipts.had(entry.receiptId);
        const reusedId = resendOf === null && isReused(entry, named);
        const told = { offset, entry, resendOf, journalledAgain, reusedId };
        return entry.entry === "UNIT" && passes(entry, filter) ? [told] : [];
      });
      const opened = vault
        ? await openAll(
            vault,
            shown.map(({ entry }) => entry),
          )
        : new Map<JournalEntry, never>();
      for (const { offset, entry, resendOf, journalledAgain, reusedId } of shown) {
        const content = opened.get(entry);
        const { partner, feed, connector, format, receiptId, receivedAt, accepted, code, location, flags, answer } =
          entry;
        yield {
          partition,
          offset,
          partner,
          feed,
          connector,
          format,
          receiptId,
          receivedAt,
          unitSha256: content?.sha256 ?? null,
          controlId: content?.controlId ?? null,
          accepted,
          code,
          location,
          flags,
          answer,
          resendOf,
          journalledAgain,
          reusedId,
          events: resendOf ? 0 : entry.events.length,
        };
      }
    }
  }
}

function passes(entry: JournalEntry, { partner, connector, accepted, code, since, until }: JournalFilter): boolean {
  return (
    (partner === undefined || entry.partner === partner) &&
    (connector === undefined || entry.connector === connector) &&
    (accepted === undefined || entry.accepted === accepted) &&
    (code === undefined || entry.code === code) &&
    (since === undefined || entry.receivedAt >= since) &&
    (until === undefined || entry.receivedAt < until)
  );
}

function resendOfEntry(
  entry: JournalEntry,
  position: LedgerPosition,
  firsts: ReadonlyMap<string, LedgerPosition>,
  latest: Map<string, { content: string; offset: number }>,
): LedgerPosition | null {
  if (!entry.accepted || entry.identity === null) return null;
  const identity = uuidOf(entry.identity);
  if (entry.resend === "LATEST") {
    const resource = entry.resource === null ? "" : uuidOf(entry.resource);
    const before = latest.get(resource);
    if (before?.content === identity) return { partition: position.partition, offset: before.offset };
    latest.set(resource, { content: identity, offset: position.offset });
    return null;
  }
  const first = firsts.get(identity);
  const isFirst = !first || (first.partition === position.partition && first.offset === position.offset);
  return isFirst ? null : first;
}

async function firstPositions(
  pool: Pool,
  entries: readonly JournalEntry[],
): Promise<ReadonlyMap<string, LedgerPosition>> {
  const asked = entries.flatMap(({ accepted, identity }) => (accepted && identity ? [uuidOf(identity)] : []));
  if (asked.length === 0) return new Map();
  const { rows } = await pool.query<{ identity: string; partition: number; offset: number }>(
    'SELECT identity, partition, journal_offset AS "offset" FROM engine.ledger WHERE identity = ANY ($1::uuid[])',
    [asked],
  );
  return new Map(rows.map(({ identity, partition, offset }) => [identity, { partition, offset }]));
}

/** Identity that first came under each control id, by control key. */
async function firstNamed(pool: Pool, entries: readonly JournalEntry[]): Promise<ReadonlyMap<string, string>> {
  const asked = entries.flatMap(({ accepted, controlKey }) => (accepted && controlKey ? [uuidOf(controlKey)] : []));
  if (asked.length === 0) return new Map();
  const { rows } = await pool.query<{ key: string; identity: string }>(
    "SELECT control_key AS key, identity FROM engine.control_ids WHERE control_key = ANY ($1::uuid[])",
    [asked],
  );
  return new Map(rows.map(({ key, identity }) => [key, identity]));
}

function isReused({ accepted, identity, controlKey }: JournalEntry, named: ReadonlyMap<string, string>): boolean {
  if (!accepted || identity === null || controlKey === null) return false;
  const first = named.get(uuidOf(controlKey));
  return first !== undefined && first !== uuidOf(identity);
}

/** A reception that was journalled again stands close behind: a partition takes one request after the other. */
class RecentReceipts {
  readonly #ids = new Set<string>();

  /** Whether it was told before; it is from now on. */
  had(receiptId: string): boolean {
    if (this.#ids.has(receiptId)) return true;
    this.#ids.add(receiptId);
    if (this.#ids.size > 20_000) for (const oldest of this.#ids) if (this.#ids.size > 10_000) this.#ids.delete(oldest);
    return false;
  }
}

interface OpenedUnit {
  readonly sha256: string | null;
  readonly controlId: string | null;
}

async function openAll(vault: Vault, entries: readonly JournalEntry[]): Promise<Map<JournalEntry, OpenedUnit>> {
  const keys = await vault.openKeys(entries.flatMap(({ sealedFor }) => sealedFor));
  const opened = new Map<JournalEntry, OpenedUnit>();
  for (const entry of entries) {
    const chain = entry.sealedFor.flatMap((name): DataKey[] => {
      const key = keys.get(keyText(name));
      return key ? [key] : [];
    });
    if (chain.length < entry.sealedFor.length) continue;
    const { bytes, controlId } = openUnit(entry.receiptId, chain, entry.sealedUnit);
    const isWhole = bytes.length === entry.size;
    opened.set(entry, { sha256: isWhole ? createHash("sha256").update(bytes).digest("hex") : null, controlId });
  }
  return opened;
}

/** What `intake status` shows: units below the publisher's checkpoints. units = accepted + rejected. */
export interface IntakeCounts {
  readonly units: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Among the accepted. */
  readonly resends: number;
  /** Among the accepted: a control id used again for other content. */
  readonly reusedIds: number;
  readonly events: number;
  readonly byPartner: readonly PartnerCounts[];
}

export interface PartnerCounts {
  readonly partner: string;
  readonly connector: string;
  /** Null for the accepted. */
  readonly code: string | null;
  readonly units: number;
  readonly resends: number;
  readonly reusedIds: number;
  readonly events: number;
}

/** Counts of all that is published, in all and by partner, connector and code. */
export async function intakeCounts(pool: Pool): Promise<IntakeCounts> {
  const { rows } = await pool.query<PartnerCounts & { accepted: number; rejected: number }>(
    `SELECT partner, connector, nullif(code, '') AS code, sum(units)::bigint AS units,
      sum(accepted)::bigint AS accepted, sum(rejected)::bigint AS rejected, sum(resends)::bigint AS resends,
      sum(reused_ids)::bigint AS "reusedIds", sum(events)::bigint AS events
    FROM engine.intake_counts GROUP BY partner, connector, code
    ORDER BY partner, connector, nullif(code, '') NULLS FIRST`,
  );
  const total = (pick: (row: (typeof rows)[number]) => number) => rows.reduce((sum, row) => sum + pick(row), 0);
  return {
    units: total(({ units }) => units),
    accepted: total(({ accepted }) => accepted),
    rejected: total(({ rejected }) => rejected),
    resends: total(({ resends }) => resends),
    reusedIds: total(({ reusedIds }) => reusedIds),
    events: total(({ events }) => events),
    byPartner: rows.map(({ accepted: _accepted, rejected: _rejected, ...row }) => row),
  };
}
