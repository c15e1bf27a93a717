import { randomUUID } from "node:crypto";
import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import type { EventPlace, RequestedAction } from "./decisions.js";

/** What an operator asks the owner of a partition to do about one event. */
export interface LaneRequest {
  readonly id: number;
  /** The same in every build. */
  readonly decision: string;
  readonly offset: number;
  readonly action: RequestedAction;
  readonly reason: string | null;
  readonly requestedBy: string;
  /** Epoch milliseconds. */
  readonly requestedAt: number;
  readonly state: "requested" | "decided";
}

export interface NewRequest {
  readonly projection: string;
  readonly action: RequestedAction;
  readonly places: readonly EventPlace[];
  readonly reason?: string | undefined;
  /** Who asks: it is part of the audit. */
  readonly by: string;
}

/** Asks the owners of all builds of a projection. @returns the decisions' ids, in the order of the places. */
export async function requestDecisions(pool: Pool, request: NewRequest): Promise<readonly string[]> {
  const { projection, action, places, reason, by } = request;
  const ids = places.map(() => randomUUID());
  await pool.query(
    `INSERT INTO engine.lane_requests (decision, projection, build, topic, partition, log_offset, action, reason, requested_by, consumer_role)
     SELECT asked.decision, builds.projection, builds.build, asked.topic, asked.partition, asked.log_offset, $5, $6, $7, builds.consumer_role
     FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[]) WITH ORDINALITY AS asked (decision, topic, partition, log_offset, number)
     CROSS JOIN engine.builds AS builds WHERE builds.projection = $8 AND builds.feed <> 'as-of' ORDER BY asked.number, builds.build`,
    [
      ids,
      places.map(({ topic }) => topic),
      places.map(({ partition }) => partition),
      places.map(({ offset }) => offset),
      action,
      reason ?? null,
      by,
      projection,
    ],
  );
  return ids;
}

/** What became of a request in the current build. */
export interface RequestOutcome extends EventPlace {
  readonly decision: string;
  readonly action: RequestedAction;
  readonly state: "requested" | "decided" | "done" | "refused";
  readonly outcome: string | null;
}

/** In the order in which they were asked. */
export async function requestOutcomes(pool: Pool, decisions: readonly string[]): Promise<readonly RequestOutcome[]> {
  const { rows } = await pool.query<RequestOutcome>(
    `SELECT requests.decision, topic, partition, log_offset AS "offset", action, requests.state, outcome
     FROM engine.lane_requests AS requests JOIN engine.builds AS builds USING (projection, build)
     WHERE requests.decision = ANY ($1::uuid[]) AND builds.state = 'current' ORDER BY requests.id`,
    [decisions],
  );
  return rows;
}

/** What was asked about one event, by whom and why, in the order in which it was asked. */
export interface AskedAbout {
  readonly action: RequestedAction;
  readonly requestedBy: string;
  /** Epoch milliseconds. */
  readonly requestedAt: number;
  readonly reason: string | null;
  readonly state: RequestOutcome["state"];
  readonly outcome: string | null;
  /** Epoch milliseconds; null until it is carried out. */
  readonly carriedOutAt: number | null;
}

/** What operators asked about one event, and what became of it: in the current build where that knows of it. */
export async function requestsAbout(
  pool: Pool,
  { projection, topic, partition, offset }: EventPlace & { readonly projection: string },
): Promise<readonly AskedAbout[]> {
  const { rows } = await pool.query<AskedAbout & { id: number }>(
    `SELECT DISTINCT ON (requests.decision) requests.id, action, requested_by AS "requestedBy", requested_at AS "requestedAt",
       reason, requests.state, outcome, carried_out_at AS "carriedOutAt"
     FROM engine.lane_requests AS requests JOIN engine.builds AS builds USING (projection, build)
     WHERE projection = $1 AND topic = $2 AND partition = $3 AND log_offset = $4
     ORDER BY requests.decision, builds.state <> 'current', requests.id`,
    [projection, topic, partition, offset],
  );
  return rows.sort((left, right) => left.id - right.id).map(({ id: _, ...asked }) => asked);
}

const placed = ({ build, topic, partition }: LanePlace) => [build.projection, build.build, topic, partition];

/** Requests of a lane that are still to be carried out, in the order in which they were asked. */
export async function openRequests(pool: Pool, place: LanePlace): Promise<readonly LaneRequest[]> {
  const { rows } = await pool.query<LaneRequest>(
    `SELECT id, decision, log_offset AS "offset", action, reason, requested_by AS "requestedBy",
       requested_at AS "requestedAt", state
     FROM engine.lane_requests
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND state IN ('requested', 'decided')
     ORDER BY id`,
    placed(place),
  );
  return rows;
}

/** Partitions, as `topic/partition`, of which something is still to be carried out for one of these builds. */
export async function requestedPlaces(
  pool: Pool,
  builds: readonly { readonly projection: string; readonly build: number }[],
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ topic: string; partition: number }>(
    `SELECT DISTINCT topic, partition FROM engine.lane_requests
     WHERE (projection, build) IN (SELECT * FROM unnest($1::text[], $2::integer[])) AND state IN ('requested', 'decided')`,
    [builds.map(({ projection }) => projection), builds.map(({ build }) => build)],
  );
  return new Set(rows.map(({ topic, partition }) => `${topic}/${partition}`));
}

/**
 * A build that was made while a request of another build was under way takes part in it. To be called when a lane opens,
 * before decisions are read: what is no longer open then is recorded.
 */
export async function adoptRequests(pool: Pool, place: LanePlace): Promise<void> {
  await pool.query(
    `INSERT INTO engine.lane_requests (decision, projection, build, topic, partition, log_offset, action, reason, requested_by, requested_at, consumer_role)
     SELECT DISTINCT ON (decision) decision, projection, $2::integer, topic, partition, log_offset, action, reason, requested_by, requested_at, consumer_role
     FROM engine.lane_requests AS others
     WHERE projection = $1 AND build <> $2 AND topic = $3 AND partition = $4 AND state IN ('requested', 'decided')
       AND NOT EXISTS (SELECT FROM engine.lane_requests AS r WHERE r.decision = others.decision AND r.state = 'refused')
     ORDER BY decision, id ON CONFLICT (decision, build) DO NOTHING`,
    placed(place),
  );
}

/**
 * Takes requests up, behind the lane's fence: whoever owns the partition next carries them out too.
 * @returns false when another owner came.
 */
export async function decideRequests(
  pool: Pool,
  place: LanePlace,
  epoch: number,
  ids: readonly number[],
): Promise<boolean> {
  return fenced(
    pool,
    place,
    epoch,
    "state = 'decided'",
    ids,
    ids.map(() => null),
  );
}

/** Closes requests of which nothing has to be written. @returns false when another owner came. */
export async function closeRequests(
  pool: Pool,
  place: LanePlace,
  epoch: number,
  state: "done" | "refused",
  outcomes: ReadonlyMap<number, string>,
): Promise<boolean> {
  const set = `state = '${state}', outcome = u.outcome, carried_out_at = now()`;
  return fenced(pool, place, epoch, set, [...outcomes.keys()], [...outcomes.values()]);
}

async function fenced(
  pool: Pool,
  place: LanePlace,
  epoch: number,
  set: string,
  ids: readonly number[],
  outcomes: readonly (string | null)[],
): Promise<boolean> {
  const { rows } = await pool.query<{ count: number }>(
    `WITH fence AS (
       UPDATE engine.checkpoints SET updated_at = now()
       WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND epoch = $5 RETURNING 1
     ), changed AS (
       UPDATE engine.lane_requests AS r SET ${set} FROM unnest($6::bigint[], $7::text[]) AS u (id, outcome)
       WHERE r.id = u.id AND r.state IN ('requested', 'decided') AND EXISTS (TABLE fence)
     ) SELECT count(*) FROM fence`,
    [...placed(place), epoch, ids, outcomes],
  );
  return Number(rows[0]?.count) === 1;
}
