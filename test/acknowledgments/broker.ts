import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startTcpProxy, type TcpProxy, type Treatment, unframed } from "../../engine/testing/tcp-proxy.js";
import { findJava } from "../../stack/local/java.js";
import { kafkaService } from "../../stack/local/kafka.js";
import { type LocalService, pidOf, startService, stopService } from "../../stack/local/service.js";
import { ensureSoftware } from "../../stack/local/software.js";
import { freePorts } from "../../stack/ports.js";
import { signal } from "../../stack/processes.js";
import { SmallDisk } from "../brokers/small-disk.js";

const javaOptions = ["-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const diskMegabytes = 1_500;
const silent = () => {};

/**
 * One Kafka broker of its own that can be killed, frozen and given a full disk, behind a proxy that treats its replies as
 * told. A lone one: nobody takes over while it is away, so whatever was acknowledged must be on its own disk.
 */
export class LoneBroker {
  readonly folder: string;
  readonly #service: LocalService;
  readonly #proxy: TcpProxy;
  readonly #disk: SmallDisk | undefined;
  #frozen: number | undefined;

  private constructor(folder: string, service: LocalService, proxy: TcpProxy, disk: SmallDisk | undefined) {
    this.folder = folder;
    this.#service = service;
    this.#proxy = proxy;
    this.#disk = disk;
  }

  /** @param reply what becomes of each piece of what it says. */
  static async start(reply: () => Treatment, environment: NodeJS.ProcessEnv = process.env): Promise<LoneBroker> {
    const java = await findJava(environment);
    const { kafka: software } = await ensureSoftware(environment.TRIBUTARY_CACHE ?? "", environment, silent);
    const folder = mkdtempSync(join(tmpdir(), "tributary-broker-"));
    const disk = SmallDisk.mount(join(folder, "data"), diskMegabytes);
    const ports = await freePorts();
    const proxy = await startTcpProxy({ host: "127.0.0.1", port: ports.kafka, framing: unframed, reply });
    const voters = `1@127.0.0.1:${ports.controller}`;
    const properties = { "log.segment.bytes": "16777216", "offsets.topic.num.partitions": "3" };
    const node = { id: 1, voters, properties, javaOptions, advertisedPort: proxy.port };
    const clusterId = randomBytes(16).toString("base64url");
    const service = kafkaService(folder, software, java, { ports, clusterId }, environment, node);
    const broker = new LoneBroker(folder, service, proxy, disk);
    try {
      await broker.begin();
    } catch (error) {
      await broker.dispose();
      throw error;
    }
    return broker;
  }

  /** For the setting KAFKA_BROKERS. */
  get address(): string {
    return `127.0.0.1:${this.#proxy.port}`;
  }

  /** Whether its disk can be filled: this machine lets us mount one. */
  get hasOwnDisk(): boolean {
    return this.#disk !== undefined;
  }

  /** Starts it, or starts it again; resolves when it answers. */
  async begin(): Promise<void> {
    await startService(this.folder, this.#service, silent, new AbortController().signal);
  }

  async kill(): Promise<void> {
    const pid = await this.#pid();
    if (pid === undefined) return;
    signal(pid, "SIGKILL");
    while ((await this.#pid()) === pid) await pause(20);
  }

  async freeze(): Promise<void> {
    this.#frozen = await this.#pid();
    if (this.#frozen === undefined || !signal(this.#frozen, "SIGSTOP")) throw new Error("The broker isn't running.");
  }

  thaw(): void {
    if (this.#frozen !== undefined) signal(this.#frozen, "SIGCONT");
    this.#frozen = undefined;
  }

  /** Takes all that is free of its disk. */
  fillDisk(): void {
    if (this.#disk === undefined) throw new Error("The broker has no disk of its own.");
    this.#disk.fill();
  }

  freeDisk(): void {
    this.#disk?.free();
  }

  async isRunning(): Promise<boolean> {
    return (await this.#pid()) !== undefined;
  }

  async dispose(): Promise<void> {
    this.thaw();
    await this.kill();
    await stopService(this.folder, this.#service, silent).catch(() => undefined);
    await this.#proxy.close();
    this.#disk?.unmount();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #pid(): Promise<number | undefined> {
    return pidOf(this.folder, "kafka");
  }
}
