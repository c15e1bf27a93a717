import { createHash, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { JournalledEventInput } from "../../schemas/intake/intake.generated.js";
import { recordAccess } from "../audit/access.js";
import type { EventDraft } from "../intake/connector.js";
import { engineRecord } from "../intake/engine-entry.js";
import { finishEvents } from "../intake/finish-events.js";
import { contentHash, keyedHash } from "../intake/keyed-hash.js";
import { assertPartitions } from "../intake/topic-partitions.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { eventsTopic, journalTopic } from "../log/schemas.js";
import { failureOf } from "../projector/failure.js";
import { dropErasedAsOfs } from "../replay/as-of.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { ownOf, type PatientSubjects, subjectsOfPatient, type TimelineSource } from "./erased-subjects.js";
import { recordErasure } from "./erasure-record.js";
import { forgottenAfter } from "./forgetting.js";
import { type LeftReadable, leftReadable } from "./left-readable.js";

export interface EraseOptions extends TimelineSource {
  readonly log: Log;
  readonly codec: Codec;
  /** Deployment secret, 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
  readonly secret: string;
  /** Milliseconds after which no process opens anything under a destroyed key; default as `forgetting.ts` has it. */
  readonly forgottenAfter?: number;
  /** Told what is being done now. */
  readonly onStep?: (step: "destroyed" | "forgotten" | "journalled") => void;
}

export interface ErasureRequest {
  /** Surrogate id. */
  readonly patient: string;
  readonly reason: string;
  readonly actor: string;
}

/** An erasure as it was begun: one that is carried on keeps its id, reason and actor. */
export interface Erasure extends ErasureRequest {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly requestedAt: number;
}

export interface Erased extends Erasure {
  /** `nothing`: it was erased before, and nothing is sealed for the patient since. */
  readonly outcome: "erased" | "nothing";
  readonly visits: number;
  readonly claims: number;
  /** Visits and claims of whom the patient was told once, and that are another's: they keep what is sealed for that one. */
  readonly anothers: number;
  /** Data keys destroyed, those of a run before included. */
  readonly keys: number;
  /** Schemas of the as-ofs that were dropped by this run, since they might show the patient. */
  readonly asOfs: readonly string[];
  /** What tells of the patient under keys of others. */
  readonly left: LeftReadable;
}

/** What the engine calls itself where a partner is named. */
const self = "tributary";
/** Events of one journal entry: a patient with more visits and claims takes several. */
const eventsPerEntry = 5_000;

/**
 * Erases a patient for good, although the log is immutable. What was sealed for the patient, and for each visit and claim
 * that the timeline knows of the patient, can't be opened any more by anyone, units as received included; then
 * PatientErased and SubjectErased on their keys tell every read model, by way of the journal. A visit or a claim that is
 * another's by what was told last keeps what was sealed for that one: on its key SubjectErased says so.
 *
 * Live and rebuilt rows are equal afterwards, since the events are journalled only once no process opens anything under
 * the destroyed keys (see {@link EraseOptions.forgottenAfter}): what comes after them on their key is closed for the live
 * consumer, too. Every step may be done again: who is killed runs it again.
 *
 * As-ofs that opened anything before are dropped at the end, each recorded as an access.
 *
 * @throws TRIB_CLI_NOT_FOUND when nothing is known of the patient; TRIB_VAULT_ERASURE_PENDING when keys are destroyed and
 *   the timeline could not be waited for, or an as-of is being read; TRIB_LOG_UNAVAILABLE, TRIB_STORE_UNAVAILABLE.
 */
export async function erasePatient(options: EraseOptions, request: ErasureRequest): Promise<Erased> {
  const { pool, patient } = { ...options, ...request };
  const pending = await openErasure(pool, patient);
  // Asked first, as a destroyed key can't be brought back: there must be a timeline, and the patient must be known.
  let subjects = pending ? undefined : await subjectsOfPatient(options, patient);
  if (subjects && !(await isKnown(pool, patient, subjects))) {
    throw new TributaryError("TRIB_CLI_NOT_FOUND", `Nothing is known of a patient ${patient}.`);
  }
  if (subjects && (await isErased(pool, patient))) {
    const left = await leftReadable(options, ownOf(patient, subjects));
    const nothing = { id: "", requestedAt: Date.now(), visits: 0, claims: 0, anothers: 0, keys: 0, asOfs: [], left };
    return { ...request, ...nothing, outcome: "nothing" };
  }
  const erasure = pending ?? (await begin(pool, request));
  await recordErasure(options, erasure, "BEGUN");
  try {
    subjects = await destroyAll(options, erasure, subjects);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_PROJECT_AWAIT_TIMEOUT") throw error;
    throw new TributaryError("TRIB_VAULT_ERASURE_PENDING", undefined, { patient }, { cause: error });
  }
  const keys = await destroyedSince(pool, erasure, subjects);
  await journal(options, erasure, subjects, keys);
  options.onStep?.("journalled");
  const asOfs = await dropAsOfs(options, erasure);
  const { anothers } = subjects;
  const countOf = (ids: readonly string[]) => ids.filter((id) => !anothers.has(id)).length;
  const [visits, claims] = [countOf(subjects.visits), countOf(subjects.claims)];
  await recordErasure(options, erasure, "DONE", { visits, claims, keys });
  await pool.query("UPDATE engine.erasures SET done_at = now() WHERE id = $1 AND done_at IS NULL", [erasure.id]);
  const left = await leftReadable(options, ownOf(patient, subjects));
  return { ...erasure, outcome: "erased", visits, claims, anothers: anothers.size, keys, asOfs, left };
}

/**
 * Destroys the keys, waits until nobody uses them, and looks again: a visit that was told of meanwhile may have been
 * opened under a key that was still there.
 */
async function destroyAll(
  options: EraseOptions,
  { patient }: Erasure,
  known: PatientSubjects | undefined,
): Promise<PatientSubjects> {
  const { pool } = options;
  let subjects: PatientSubjects = known ?? { visits: [], claims: [], anothers: new Set() };
  for (let first = true; ; first = false) {
    const { rows } = await pool.query("SELECT FROM engine.vault_destroy($1::uuid[])", [ownOf(patient, subjects)]);
    options.onStep?.("destroyed");
    if (first || rows.length > 0) await pause(options.forgottenAfter ?? forgottenAfter);
    options.onStep?.("forgotten");
    const before = new Set(ownOf(patient, subjects));
    subjects = await subjectsOfPatient(options, patient);
    if (ownOf(patient, subjects).every((id) => before.has(id))) return subjects;
  }
}

async function openErasure(pool: Pool, patient: string): Promise<Erasure | undefined> {
  const { rows } = await pool.query<Erasure>(
    `SELECT id, patient, reason, requested_by AS actor, requested_at AS "requestedAt"
     FROM engine.erasures WHERE patient = $1 AND done_at IS NULL`,
    [patient],
  );
  return rows[0];
}

async function begin(pool: Pool, { patient, reason, actor }: ErasureRequest): Promise<Erasure> {
  await pool.query(
    `INSERT INTO engine.erasures (id, patient, reason, requested_by) VALUES ($1, $2, $3, $4)
     ON CONFLICT (patient) WHERE done_at IS NULL DO NOTHING`,
    [randomUUID(), patient, reason, actor],
  );
  // Two who begin at once carry on the same one.
  return (await openErasure(pool, patient)) as Erasure;
}

async function isKnown(pool: Pool, patient: string, { visits, claims }: PatientSubjects): Promise<boolean> {
  if (visits.length + claims.length > 0) return true;
  const { rows } = await pool.query("SELECT FROM engine.vault_keys WHERE subject = $1 LIMIT 1", [patient]);
  return rows.length > 0;
}

/** What was known at past moments is a copy of its own, which no event reaches. */
async function dropAsOfs(
  { pool, log, codec }: EraseOptions,
  { patient, reason, actor }: Erasure,
): Promise<readonly string[]> {
  try {
    return await dropErasedAsOfs(pool, (schema) => {
      const subject = { kind: "as-of", id: schema };
      return recordAccess(log, codec, { action: "DROP", command: "vault erase", subject, patients: [], reason, actor });
    });
  } catch (error) {
    if (failureOf(error).kind !== "again") throw error;
    const why = "Somebody reads an as-of that may show the patient, so it could not be dropped.";
    throw new TributaryError("TRIB_VAULT_ERASURE_PENDING", why, { patient }, { cause: error });
  }
}

/** Erased before, and nothing was sealed since: there is no key to destroy. */
async function isErased(pool: Pool, patient: string): Promise<boolean> {
  const { rows } = await pool.query(
    `SELECT FROM engine.erasures WHERE patient = $1 AND done_at IS NOT NULL
     AND NOT EXISTS (SELECT FROM engine.vault_keys WHERE subject = $1 AND wrapped IS NOT NULL) LIMIT 1`,
    [patient],
  );
  return rows.length > 0;
}

async function destroyedSince(pool: Pool, erasure: Erasure, subjects: PatientSubjects): Promise<number> {
  const { rows } = await pool.query<{ keys: number }>(
    `SELECT count(*)::integer AS keys FROM engine.vault_keys JOIN engine.erasures ON id = $1
     WHERE subject = ANY ($2::uuid[]) AND destroyed_at >= requested_at`,
    [erasure.id, ownOf(erasure.patient, subjects)],
  );
  return rows[0]?.keys ?? 0;
}

function* drafts(
  { patient, requestedAt: time }: Erasure,
  { visits, claims, anothers }: PatientSubjects,
): Generator<EventDraft> {
  const timePrecision = "MILLISECOND";
  yield { type: "PatientErased", subject: patient, time, timePrecision, fields: {} };
  for (const [entity, ids] of [["visit", visits] as const, ["claim", claims] as const]) {
    for (const subject of ids) {
      const fields = { patientId: patient, anothers: anothers.has(subject) };
      yield { type: "SubjectErased", subject, topic: eventsTopic(entity), time, timePrecision, fields };
    }
  }
}

/**
 * What an erasure has come to: the same for all who come to the same. Who carries it on and finds more visits, or had to
 * destroy one more key, has more to tell.
 */
function reached({ id, patient }: Erasure, subjects: PatientSubjects, keys: number): string {
  const others = [...subjects.anothers].sort().map((id) => `\n!${id}`);
  const hash = createHash("sha256").update(`${keys}\n${ownOf(patient, subjects).join("\n")}${others.join("")}`);
  return `${id}/${hash.digest("hex").slice(0, 16)}`;
}

/** Writes the events into the journal. Written again they have the same identity, and the ledger lets the first through. */
async function journal(
  options: EraseOptions,
  erasure: Erasure,
  subjects: PatientSubjects,
  keys: number,
): Promise<void> {
  const { codec, log, pool, secret } = options;
  const all = [...drafts(erasure, subjects)];
  const entry = {
    receivedAt: Date.now(),
    partner: self,
    feed: `${self}|erasure`,
    connector: "vault",
    connectorVersion: "1",
    format: "ERASURE",
  };
  const receipt = reached(erasure, subjects, keys);
  const producer = await log.producer(await assertPartitions(log, pool, [journalTopic]));
  try {
    for (let at = 0; at < all.length; at += eventsPerEntry) {
      const receiptId = at === 0 ? receipt : `${receipt}/${at / eventsPerEntry}`;
      const events = finished(all.slice(at, at + eventsPerEntry), receiptId, codec);
      const context = { codec, hash: keyedHash(secret), contentHash: contentHash(secret) };
      const identity = ["erasure", receiptId];
      await producer.append([engineRecord({ ...entry, receiptId, identity, events }, context)]);
    }
  } finally {
    await producer.close();
  }
}

function finished(
  events: readonly EventDraft[],
  receiptId: string,
  codec: EraseOptions["codec"],
): readonly JournalledEventInput[] {
  const done = finishEvents(
    { events, partner: self },
    {
      codec,
      connector: "vault",
      receiptId,
      seal: () => {
        throw new RangeError("nothing in an erasure is sealed");
      },
      eventLimit: 900_000,
    },
  );
  if (!("events" in done)) throw new RangeError("an event of an erasure does not fit its schema");
  return done.events;
}
