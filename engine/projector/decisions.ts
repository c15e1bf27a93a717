/** What an operator asked for about one event of one read model. */
export type RequestedAction = "retry" | "skip" | "park";
/** What a fold does with an event that was decided about: never apply it, or park its key without applying it. */
export type Verdict = "skip" | "park";

export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A decision as it is recorded in the audit topic. */
export interface Decision extends EventPlace {
  /** A record written again has the same id; the first one counts. */
  readonly id: string;
  readonly action: RequestedAction;
  readonly projection: string;
  /** Who asked for it. */
  readonly actor: string;
  /** When, epoch milliseconds. */
  readonly time: number;
  readonly reason: string | null;
  /** Of the event, where it was looked at. */
  readonly key: string | null;
  readonly position: string | null;
  readonly eventId: string | null;
  readonly eventType: string | null;
}

/** Next offset to read, by partition of the audit topic. */
export type DecisionsRead = ReadonlyMap<number, number>;

/** Where decisions are kept: see `auditDecisions`. */
export interface DecisionLog {
  /** Decisions about a projection that were recorded at and after `from`, oldest first, and where to read on. */
  read(
    projection: string,
    from: DecisionsRead,
  ): Promise<{ readonly decisions: readonly Decision[]; readonly next: DecisionsRead }>;
  /** Resolves when all are durable, in the order given. */
  append(decisions: readonly Decision[]): Promise<void>;
}

/** Decisions that stand about the events of one partition, by offset. It follows what is decided. */
export type LaneDecisions = ReadonlyMap<number, Verdict>;

/**
 * What operators decided about the events of a projection. Rebuild, verify and as-of read it before the first event: that
 * makes what they decided part of the log, of which rows are a pure function.
 *
 * The last decision about an event stands: a retry takes back that it be parked.
 */
export class Decisions {
  readonly projection: string;
  readonly #log: DecisionLog;
  readonly #seen = new Set<string>();
  readonly #lanes = new Map<string, Map<number, Verdict>>();
  /** Those that stand, with who made them and why, by `topic/partition/offset`. */
  readonly #standing = new Map<string, Decision & { readonly action: Verdict }>();
  #next: DecisionsRead = new Map();
  #loading: Promise<void> = Promise.resolve();

  constructor(log: DecisionLog, projection: string) {
    this.#log = log;
    this.projection = projection;
  }

  /** Reads what was recorded since. Calls at the same time wait for each other. */
  load(): Promise<void> {
    const loaded = this.#loading
      .catch(() => {})
      .then(async () => {
        const { decisions, next } = await this.#log.read(this.projection, this.#next);
        for (const decision of decisions) this.#take(decision);
        this.#next = next;
      });
    this.#loading = loaded;
    return loaded;
  }

  /** Records decisions that are not recorded yet; they stand, in the log's order among others, when it resolves. */
  async record(decisions: readonly Decision[]): Promise<void> {
    const fresh = decisions.filter(({ id }) => !this.#seen.has(id));
    if (fresh.length === 0) return;
    await this.#log.append(fresh);
    await this.load();
  }

  of(topic: string, partition: number): LaneDecisions {
    const name = `${topic}/${partition}`;
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = new Map();
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  decisionAt(topic: string, partition: number, offset: number): Verdict | undefined {
    return this.of(topic, partition).get(offset);
  }

  /** All that stand, with who decided them and why, in the order in which they were decided. */
  all(): readonly (Decision & { readonly action: Verdict })[] {
    return [...this.#standing.values()];
  }

  /** All that stand, each as `topic/partition/offset verdict`, in order. */
  standing(): readonly string[] {
    const all = [...this.#lanes].flatMap(([lane, verdicts]) =>
      [...verdicts].map(([offset, verdict]) => `${lane}/${offset} ${verdict}`),
    );
    return all.sort();
  }

  #take(decision: Decision): void {
    const { id, action, topic, partition, offset } = decision;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const lane = this.of(topic, partition) as Map<number, Verdict>;
    const place = `${topic}/${partition}/${offset}`;
    if (action === "retry") {
      lane.delete(offset);
      this.#standing.delete(place);
    } else {
      lane.set(offset, action);
      this.#standing.delete(place);
      this.#standing.set(place, { ...decision, action });
    }
  }
}

/** Of an installation without an audit topic: tests. */
export const noDecisions: LaneDecisions = new Map();
