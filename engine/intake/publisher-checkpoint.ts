import type { Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { LatestContent, LedgerEntry, LedgerPosition, LedgerState } from "./ledger.js";

/** Who may publish a journal partition now: the row's epoch is the fence. */
export interface Fence {
  readonly journal: string;
  readonly partition: number;
  readonly epoch: number;
}

export interface Checkpoint {
  readonly fence: Fence;
  /** Journal offset of the first entry that isn't published. */
  readonly nextOffset: number;
  /** Recorded time of the entry before it, epoch milliseconds; 0 before the first. */
  readonly lastRecordedAt: number;
}

/** Counts of units of one partner, connector and code (empty for the accepted). */
export interface UnitCounts {
  readonly partner: string;
  readonly connector: string;
  readonly code: string;
  units: number;
  accepted: number;
  rejected: number;
  resends: number;
  reusedIds: number;
  events: number;
}

interface Standing {
  readonly epoch: number;
  readonly owner: string;
}

/** @throws TRIB_INTAKE_JOURNAL_CHANGED when the checkpoints are about another journal. */
async function standing(pool: Pool, journal: string, partition: number): Promise<Standing | undefined> {
  const { rows } = await pool.query<Standing & { readonly mine: boolean }>(
    `SELECT journal = $1 AS mine, epoch, owner FROM engine.publisher_checkpoints
     WHERE (journal = $1 AND partition = $2) OR journal <> $1`,
    [journal, partition],
  );
  if (rows.some(({ mine }) => !mine)) {
    throw new TributaryError("TRIB_INTAKE_JOURNAL_CHANGED", undefined, { journal, partition });
  }
  return rows[0];
}

/**
 * Raises the epoch, if it still is the one seen: a statement that arrives late, when its sender has long asked again or
 * is gone, takes nothing from whoever came meanwhile. It waits for a statement of the owner before that is under way.
 */
async function raise(
  pool: Pool,
  journal: string,
  partition: number,
  owner: string,
  seen: number,
): Promise<Checkpoint | undefined> {
  const { rows } = await pool.query<{ next_offset: number; epoch: number; last_recorded_at: number }>(
    `UPDATE engine.publisher_checkpoints SET epoch = epoch + 1, owner = $3, updated_at = pg_catalog.now()
     WHERE journal = $1 AND partition = $2 AND epoch = $4
     RETURNING next_offset, epoch, last_recorded_at`,
    [journal, partition, owner, seen],
  );
  const [row] = rows;
  return (
    row && {
      fence: { journal, partition, epoch: row.epoch },
      nextOffset: row.next_offset,
      lastRecordedAt: row.last_recorded_at,
    }
  );
}

/**
 * Takes the partition over: raises the epoch, which shuts out whoever had it, and reads where to go on.
 * @param owner of this opening alone.
 * @throws TRIB_INTAKE_JOURNAL_CHANGED when the checkpoints are about another journal; TRIB_INTAKE_FENCE_LOST when the
 *   partition was given away meanwhile: nothing is taken from who has it now.
 */
export async function takeOver(
  pool: Pool,
  journal: string,
  partition: number,
  owner: string,
  { isOwned }: Ownership = { isOwned: () => true },
): Promise<Checkpoint> {
  for (;;) {
    const before = await standing(pool, journal, partition);
    if (!isOwned()) throw new TributaryError("TRIB_INTAKE_FENCE_LOST", undefined, { journal, partition });
    const taken = before && (await raise(pool, journal, partition, owner, before.epoch));
    if (taken) return taken;
    // Others may be taking it over just now: who raises the epoch last has it.
    if (before) continue;
    // The journal's opening entry is at offset 0.
    await pool.query(
      `INSERT INTO engine.publisher_checkpoints (journal, partition, next_offset, epoch, owner, last_recorded_at)
       SELECT $1, $2, 1, 0, $3, 0
       WHERE NOT EXISTS (SELECT FROM engine.publisher_checkpoints AS other WHERE other.journal <> $1)
       ON CONFLICT (journal, partition) DO NOTHING`,
      [journal, partition, owner],
    );
  }
}

/**
 * Like {@link takeOver}, for an owner whose last statement may or may not have been committed: it waits for that one.
 * @returns undefined when another owner came meanwhile: its epoch is not to be taken from it.
 */
export async function takeAgain(
  pool: Pool,
  journal: string,
  partition: number,
  owner: string,
): Promise<Checkpoint | undefined> {
  for (;;) {
    const before = await standing(pool, journal, partition);
    if (before?.owner !== owner) return undefined;
    // A statement of our own that was in doubt may have raised it since.
    const taken = await raise(pool, journal, partition, owner, before.epoch);
    if (taken) return taken;
  }
}

const fenceOf = (fence: Fence, first: number): unknown[] => [fence.journal, fence.partition, fence.epoch, first];

/**
 * Writes first positions and first control ids under the fence, and reads what was there. The entries' decisions follow
 * from the answer, so they are committed before any event is sent.
 *
 * Rows made here aren't in the answer; rows there before are, also those of this very batch when it was tried before.
 * A row that another partition's lane is just committing is in neither: it is asked for once more.
 * @returns undefined when the fence is lost.
 */
export async function claimFirsts(
  pool: Pool,
  fence: Fence,
  first: number,
  entries: readonly LedgerEntry[],
): Promise<LedgerState | undefined> {
  const identities = new Map<string, number>();
  const controls = new Map<string, LedgerEntry>();
  const resources = new Set<string>();
  for (const entry of entries) {
    if (entry.rule === "LATEST") resources.add(entry.resource ?? "");
    else if (!identities.has(entry.identity)) identities.set(entry.identity, entry.offset);
    if (entry.controlKey !== null && !controls.has(entry.controlKey)) controls.set(entry.controlKey, entry);
  }
  const { rows } = await pool.query<ClaimRow>(claim, [
    ...fenceOf(fence, first),
    [...identities.keys()],
    [...identities.values()],
    [...controls.keys()],
    [...controls.values()].map(({ identity }) => identity),
    [...controls.values()].map(({ offset }) => offset),
    [...resources],
  ]);
  if (!rows.some(({ kind }) => kind === "fence")) return undefined;
  const unseen = rows.filter(({ kind }) => kind === "unseen first" || kind === "unseen control");
  if (unseen.length > 0) rows.push(...(await pool.query<ClaimRow>(ask, [unseen.map(({ name }) => name)])).rows);

  const state = {
    first: new Map<string, LedgerPosition>(),
    latest: new Map<string, LatestContent>(),
    controls: new Map<string, string>(),
  };
  for (const row of rows) {
    if (row.kind === "first") state.first.set(row.name, { partition: row.partition, offset: row.journal_offset });
    if (row.kind === "control") state.controls.set(row.name, row.content);
    if (row.kind === "latest") {
      state.latest.set(row.name, { offset: row.journal_offset, content: row.content, receiptId: row.receipt_id });
    }
  }
  return state;
}

interface ClaimRow {
  readonly kind: "fence" | "first" | "control" | "latest" | "unseen first" | "unseen control";
  readonly name: string;
  readonly partition: number;
  readonly journal_offset: number;
  readonly content: string;
  readonly receipt_id: string;
}

const claim = `
WITH fence AS (
  SELECT FROM engine.publisher_checkpoints
  WHERE journal = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4
  FOR NO KEY UPDATE
), entry AS (
  SELECT identity, journal_offset FROM unnest($5::uuid[], $6::bigint[]) AS given (identity, journal_offset)
), named AS (
  SELECT control_key, identity, journal_offset
  FROM unnest($7::uuid[], $8::uuid[], $9::bigint[]) AS given (control_key, identity, journal_offset)
), made_first AS (
  INSERT INTO engine.ledger (identity, partition, journal_offset)
  SELECT identity, $2, journal_offset FROM entry WHERE EXISTS (TABLE fence)
  -- One order for all lanes, or they would wait for each other in a circle.
  ORDER BY identity
  ON CONFLICT DO NOTHING RETURNING identity
), made_control AS (
  INSERT INTO engine.control_ids (control_key, identity, partition, journal_offset)
  SELECT control_key, identity, $2, journal_offset FROM named
  -- After the ledger's rows, in every lane.
  WHERE EXISTS (TABLE fence) AND (SELECT count(*) FROM made_first) >= 0
  ORDER BY control_key
  ON CONFLICT DO NOTHING RETURNING control_key
), kept_first AS (
  SELECT kept.* FROM engine.ledger AS kept JOIN entry USING (identity)
), kept_control AS (
  SELECT kept.* FROM engine.control_ids AS kept JOIN named USING (control_key)
)
SELECT 'fence' AS kind, NULL AS name, NULL::integer AS partition, NULL::bigint AS journal_offset,
  NULL::uuid AS content, NULL AS receipt_id FROM fence
UNION ALL
SELECT 'first', identity::text, partition, journal_offset, NULL, NULL FROM kept_first
UNION ALL
SELECT 'unseen first', identity::text, NULL, NULL, NULL, NULL FROM entry
WHERE identity NOT IN (TABLE made_first) AND identity NOT IN (SELECT identity FROM kept_first)
UNION ALL
SELECT 'control', control_key::text, partition, journal_offset, identity, NULL FROM kept_control
UNION ALL
SELECT 'unseen control', control_key::text, NULL, NULL, NULL, NULL FROM named
WHERE control_key NOT IN (TABLE made_control) AND control_key NOT IN (SELECT control_key FROM kept_control)
UNION ALL
SELECT 'latest', resource::text, partition, journal_offset, content, receipt_id
FROM engine.ledger_latest WHERE resource = ANY ($10::uuid[]) AND partition = $2`;

const ask = `
SELECT 'first' AS kind, identity::text AS name, partition, journal_offset, NULL::uuid AS content, NULL AS receipt_id
FROM engine.ledger WHERE identity = ANY ($1::uuid[])
UNION ALL
SELECT 'control', control_key::text, partition, journal_offset, identity, NULL
FROM engine.control_ids WHERE control_key = ANY ($1::uuid[])`;

/** What is kept once every event of a batch is acknowledged. */
export interface Advance {
  /** First offset of the batch: the checkpoint must still be there. */
  readonly first: number;
  readonly next: number;
  readonly lastRecordedAt: number;
  readonly counts: readonly UnitCounts[];
  readonly latest: ReadonlyMap<string, LatestContent>;
}

/**
 * Moves the checkpoint, adds the counts, and keeps the last contents, in one fenced statement: each of it once, or
 * nothing.
 * @returns false when the fence is lost.
 */
export async function advance(pool: Pool, fence: Fence, { first, next, ...batch }: Advance): Promise<boolean> {
  const { counts } = batch;
  const latest = [...batch.latest.entries()];
  const { rows } = await pool.query<{ fences: number }>(move, [
    ...fenceOf(fence, first),
    next,
    batch.lastRecordedAt,
    counts.map(({ partner }) => partner),
    counts.map(({ connector }) => connector),
    counts.map(({ code }) => code),
    counts.map(({ units }) => units),
    counts.map(({ accepted }) => accepted),
    counts.map(({ rejected }) => rejected),
    counts.map(({ resends }) => resends),
    counts.map(({ reusedIds }) => reusedIds),
    counts.map(({ events }) => events),
    latest.map(([resource]) => resource),
    latest.map(([, { offset }]) => offset),
    latest.map(([, { content }]) => content),
    latest.map(([, { receiptId }]) => receiptId),
  ]);
  return rows[0]?.fences === 1;
}

const move = `
WITH fence AS (
  UPDATE engine.publisher_checkpoints
  SET next_offset = $5, last_recorded_at = $6, updated_at = pg_catalog.now()
  WHERE journal = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4
  RETURNING 1
), counted AS (
  INSERT INTO engine.intake_counts AS kept
    (journal, partition, partner, connector, code, units, accepted, rejected, resends, reused_ids, events)
  SELECT $1, $2, given.*
  FROM unnest($7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
    $14::bigint[], $15::bigint[]) AS given
  WHERE EXISTS (TABLE fence)
  ON CONFLICT (journal, partition, partner, connector, code) DO UPDATE SET
    units = kept.units + excluded.units, accepted = kept.accepted + excluded.accepted,
    rejected = kept.rejected + excluded.rejected, resends = kept.resends + excluded.resends,
    reused_ids = kept.reused_ids + excluded.reused_ids, events = kept.events + excluded.events
), latest AS (
  INSERT INTO engine.ledger_latest AS kept (resource, partition, journal_offset, content, receipt_id)
  SELECT resource, $2, journal_offset, content, receipt_id
  FROM unnest($16::uuid[], $17::bigint[], $18::uuid[], $19::text[])
    AS given (resource, journal_offset, content, receipt_id)
  WHERE EXISTS (TABLE fence)
  ON CONFLICT (resource, partition) DO UPDATE SET
    journal_offset = excluded.journal_offset, content = excluded.content, receipt_id = excluded.receipt_id
)
SELECT count(*) AS fences FROM fence`;
