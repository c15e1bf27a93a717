import { isDelivering } from "../delivery/registration.js";
import { type DeliveryStatus, deliveryStatuses } from "../delivery/status.js";
import type { Address } from "../intake/connector.js";
import type { Log } from "../log/log.js";
import { type BuildStatus, buildStatuses } from "../projector/status.js";
import type { Pool } from "../store/pool.js";
import { allProjections, consumerNames, loadConsumer } from "./discover.js";
import { type ProcessKind, type Registration, registered } from "./registration.js";
import { requireSetting, type Settings } from "./settings.js";

/** What `tributary status --json` prints. */
export interface Status {
  readonly services: {
    readonly kafka: { readonly brokers: string };
    readonly registry: { readonly url: string };
    readonly postgres: { readonly url: string };
  };
  readonly processes: readonly ProcessStatus[];
  readonly projections: readonly BuildStatus[];
  readonly deliveries: readonly DeliveryStatus[];
  /** Why nothing is known of read models and deliveries, where Kafka or Postgres can't be asked. */
  readonly unavailable?: { readonly code: string; readonly message: string };
}

export interface ProcessStatus {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly pid: number;
  readonly state: "running" | "stuck" | "unreachable";
  readonly ready: boolean;
  readonly addresses: readonly Address[];
  readonly admin: string | null;
  /** Partners that a connector does not let in, because it found that their profiles can't be used. */
  readonly suspended?: readonly { readonly partner: string; readonly code: string; readonly reason: string }[];
}

async function processStatus({ name, kind, pid, addresses, admin }: Registration): Promise<ProcessStatus> {
  if (!admin) return { name, kind, pid, state: "running", ready: true, addresses, admin };
  try {
    const answer = await fetch(`${admin}/state`, { signal: AbortSignal.timeout(2_000) });
    const {
      live,
      ready,
      suspended = [],
    } = (await answer.json()) as Pick<ProcessStatus, "ready" | "suspended"> & {
      readonly live: boolean;
    };
    const state = live ? "running" : "stuck";
    return { name, kind, pid, state, ready, addresses, admin, ...(suspended.length > 0 && { suspended }) };
  } catch {
    return { name, kind, pid, state: "unreachable", ready: false, addresses, admin };
  }
}

/** The processes of an installation: they are asked themselves, whatever Kafka and Postgres do. */
export const processStatuses = (settings: Settings): Promise<readonly ProcessStatus[]> =>
  Promise.all(registered(settings.TRIBUTARY_HOME).map(processStatus));

/** Where the services of an installation are. */
export const servicesOf = (settings: Settings): Status["services"] => ({
  kafka: { brokers: requireSetting(settings, "KAFKA_BROKERS").join(",") },
  registry: { url: requireSetting(settings, "SCHEMA_REGISTRY_URL") },
  postgres: { url: requireSetting(settings, "DATABASE_URL") },
});

/**
 * How far the read models and the deliveries of an installation are.
 * @throws TRIB_LOG_UNAVAILABLE, and what Postgres says where it can't be asked.
 */
export async function progressOf(
  pool: Pool,
  log: Pick<Log, "watermarks" | "read">,
): Promise<Pick<Status, "projections" | "deliveries">> {
  const [projections, deliveries] = await Promise.all([
    allProjections().then((projections) => buildStatuses(pool, log, Date.now(), projections)),
    Promise.all(consumerNames().map(loadConsumer)).then((consumers) =>
      deliveryStatuses(pool, log, Date.now(), consumers.filter(isDelivering)),
    ),
  ]);
  return { projections, deliveries };
}
