import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findJava } from "../../stack/local/java.js";
import { type KafkaNode, kafkaService } from "../../stack/local/kafka.js";
import { type LocalService, pidOf, startService, stopService } from "../../stack/local/service.js";
import { ensureSoftware } from "../../stack/local/software.js";
import { freePorts } from "../../stack/ports.js";
import { signal } from "../../stack/processes.js";
import { SmallDisk } from "./small-disk.js";

const ids = [1, 2, 3] as const;
export type BrokerId = (typeof ids)[number];

/** Small machines, quick to start; a broker that is silent for three seconds is taken for dead. */
const javaOptions = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const properties = {
  "offsets.topic.replication.factor": "3",
  "default.replication.factor": "3",
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
  "replica.lag.time.max.ms": "3000",
  "controlled.shutdown.enable": "true",
  "unclean.leader.election.enable": "false",
  "offsets.topic.num.partitions": "3",
  "auto.leader.rebalance.enable": "false",
};

interface Broker {
  readonly home: string;
  readonly service: LocalService;
  readonly port: number;
  /** Undefined where none can be mounted. */
  readonly disk: SmallDisk | undefined;
}

/** Taken from the memory only as it is filled. */
const diskMegabytes = 600;

const silent = () => {};

/** Three Kafka brokers of their own, each of them a controller too, in a folder that is removed at the end. */
export class ThreeBrokers {
  readonly #folder: string;
  readonly #brokers: ReadonlyMap<BrokerId, Broker>;
  readonly #frozen = new Map<BrokerId, number>();

  private constructor(folder: string, brokers: ReadonlyMap<BrokerId, Broker>) {
    this.#folder = folder;
    this.#brokers = brokers;
  }

  static async start(environment: NodeJS.ProcessEnv = process.env): Promise<ThreeBrokers> {
    const java = await findJava(environment);
    const { kafka: software } = await ensureSoftware(environment.TRIBUTARY_CACHE ?? "", environment, silent);
    const folder = mkdtempSync(join(tmpdir(), "tributary-brokers-"));
    const clusterId = randomBytes(16).toString("base64url");
    const ports = await Promise.all(ids.map(() => freePorts()));
    const voters = ids.map((id, index) => `${id}@127.0.0.1:${ports[index]?.controller}`).join(",");
    const brokers = new Map<BrokerId, Broker>();
    for (const [index, id] of ids.entries()) {
      const home = join(folder, `broker-${id}`);
      mkdirSync(home);
      const disk = SmallDisk.mount(join(home, "data"), diskMegabytes);
      const node: KafkaNode = { id, voters, properties, javaOptions };
      const own = ports[index]!;
      const service = kafkaService(home, software, java, { ports: own, clusterId }, environment, node);
      brokers.set(id, { home, service, port: own.kafka, disk });
    }
    const cluster = new ThreeBrokers(folder, brokers);
    try {
      await Promise.all(ids.map((id) => cluster.begin(id)));
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
    return cluster;
  }

  get ids(): readonly BrokerId[] {
    return ids;
  }

  /** For the setting KAFKA_BROKERS. */
  get addresses(): string[] {
    return ids.map((id) => `127.0.0.1:${this.port(id)}`);
  }

  port(id: BrokerId): number {
    return this.#of(id).port;
  }

  /** Starts a broker that was killed or stopped; resolves when it answers. */
  async begin(id: BrokerId): Promise<void> {
    const { home, service } = this.#of(id);
    await startService(home, service, silent, new AbortController().signal);
  }

  /** Stops a broker in order: it hands its partitions over first. */
  async stop(id: BrokerId): Promise<void> {
    const { home, service } = this.#of(id);
    await stopService(home, service, silent);
  }

  /** Kills a broker; resolves when its process is gone. */
  async kill(id: BrokerId): Promise<void> {
    const { home } = this.#of(id);
    const pid = await pidOf(home, "kafka");
    if (pid === undefined) return;
    signal(pid, "SIGKILL");
    while ((await pidOf(home, "kafka")) === pid) await pause(20);
  }

  /** Stops a broker in the middle of whatever it does, connections open. */
  async freeze(id: BrokerId): Promise<void> {
    const pid = await pidOf(this.#of(id).home, "kafka");
    if (pid === undefined || !signal(pid, "SIGSTOP")) throw new Error(`Broker ${id} isn't running.`);
    this.#frozen.set(id, pid);
  }

  async thaw(id: BrokerId): Promise<void> {
    const pid = this.#frozen.get(id);
    this.#frozen.delete(id);
    if (pid !== undefined) signal(pid, "SIGCONT");
  }

  /** Whether the disk of one can be filled: this machine lets us mount them. */
  get haveOwnDisks(): boolean {
    return ids.every((id) => this.#of(id).disk !== undefined);
  }

  /** Takes all that is free of a broker's disk; resolves when the broker has given up by itself, or the time is over. */
  async fillDisk(id: BrokerId, milliseconds: number): Promise<void> {
    const { home, disk } = this.#of(id);
    disk?.fill();
    const until = Date.now() + milliseconds;
    while (Date.now() < until && (await pidOf(home, "kafka")) !== undefined) await pause(50);
  }

  freeDisk(id: BrokerId): void {
    this.#of(id).disk?.free();
  }

  /** Kills all three, for nobody needs their data any more, and removes the folder. */
  async dispose(): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        await this.thaw(id);
        await this.kill(id);
        this.#of(id).disk?.unmount();
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #of(id: BrokerId): Broker {
    const broker = this.#brokers.get(id);
    if (!broker) throw new Error(`There is no broker ${id}.`);
    return broker;
  }
}
