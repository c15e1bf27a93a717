import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Every metric of the engine: `docs/metrics.md` is generated from here. Labels name no person. */
export const metricDefinitions = {
  tributary_units_total: {
    type: "counter",
    help: "Units received, by verdict.",
    labels: ["connector", "partner", "verdict", "code"],
  },
  tributary_unit_flags_total: {
    type: "counter",
    help: "What was unusual about units, and what of them is only kept (`CONTENT_KEPT`, `CHARGES_KEPT`), by flag.",
    labels: ["connector", "flag"],
  },
  tributary_answer_seconds: {
    type: "histogram",
    help: "From units whole and judged until the log has them and they may be answered; once for units taken in together.",
    labels: ["connector"],
  },
  tributary_published_events_total: {
    type: "counter",
    help: "Events published from the journal.",
    labels: ["partition"],
  },
  tributary_resends_total: { type: "counter", help: "Resends recognised.", labels: ["partition"] },
  tributary_applied_events_total: {
    type: "counter",
    help: "Events applied to a read model.",
    labels: ["projection", "topic", "partition"],
  },
  tributary_batch_seconds: {
    type: "histogram",
    help: "From a batch read to its rows committed.",
    labels: ["projection"],
  },
  tributary_lag_events: {
    type: "gauge",
    help: "Records not yet handled.",
    labels: ["projection", "topic", "partition"],
  },
  tributary_notarised_records_total: {
    type: "counter",
    help: "Records chained by the notary.",
    labels: ["topic", "partition"],
  },
  tributary_notary_lag_records: {
    type: "gauge",
    help: "Records that the notary has not yet chained.",
    labels: ["topic", "partition"],
  },
  tributary_deliveries_total: {
    type: "counter",
    help: "Events that a delivering consumer is done with, by outcome: `delivered`, `parked`, or nothing sent (`nothing`, `skipped`).",
    labels: ["consumer", "outcome"],
  },
  tributary_delivery_retries_total: {
    type: "counter",
    help: "Attempts to deliver that failed and are made again.",
    labels: ["consumer"],
  },
  tributary_delivery_oldest_seconds: {
    type: "gauge",
    help: "Age of the oldest event that waits to be delivered, by its recorded time; 0 when none does.",
    labels: ["consumer", "topic", "partition"],
  },
  tributary_suspended_partners: {
    type: "gauge",
    help: "Partners that are not let in because their profiles can't be used; `tributary doctor` says why.",
    labels: ["connector"],
  },
  tributary_parked_keys: { type: "gauge", help: "Keys held back.", labels: ["projection", "topic", "partition"] },
} as const satisfies Record<
  string,
  { type: "counter" | "gauge" | "histogram"; help: string; labels: readonly string[] }
>;

export type MetricName = keyof typeof metricDefinitions;
type LabelsOf<Name extends MetricName> = Readonly<
  Record<(typeof metricDefinitions)[Name]["labels"][number], string | number>
>;

/** The metrics of one process. */
export interface Metrics {
  /** Adds to a counter (default 1). */
  count<Name extends MetricName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Sets a gauge. */
  set<Name extends MetricName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Records a duration in seconds. */
  observe<Name extends MetricName>(name: Name, labels: LabelsOf<Name>, seconds: number): void;
  /** Prometheus text format 0.0.4. */
  text(): Promise<string>;
}

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How finely the delay of the event loop is told. Finding it out is a timer of its own: at the library's 10 ms it is a
 * third of all that a process with nothing to do costs.
 */
const loopPrecisionMilliseconds = 50;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopPrecisionMilliseconds });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [name, { type, help, labels }] of Object.entries(metricDefinitions)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === "counter") counters.set(name, new Counter(options));
    else if (type === "gauge") gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: secondsBuckets }));
  }
  return {
    count: (name, labels, by = 1) => counters.get(name)?.inc(labels as Record<string, string | number>, by),
    set: (name, labels, value) => gauges.get(name)?.set(labels as Record<string, string | number>, value),
    observe: (name, labels, seconds) =>
      histograms.get(name)?.observe(labels as Record<string, string | number>, seconds),
    text: () => registry.metrics(),
  };
}
