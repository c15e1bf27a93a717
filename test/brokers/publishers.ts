import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { repositoryRoot } from "../../engine/service/root.js";

/** A publisher's process that is started again whenever it ends, as a supervisor would. */
export class SupervisedPublisher {
  /** Codes of the failures it ended with by itself. */
  readonly failures: string[] = [];
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #over = false;
  #running: Promise<void>;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
    this.#running = this.#run();
  }

  /** As it names itself in the checkpoints' rows. */
  get owner(): string {
    return `${hostname()}/${this.#child?.pid}`;
  }

  /** @returns whether there was a process to get it. */
  signal(name: NodeJS.Signals): boolean {
    const { pid } = this.#child ?? {};
    return pid !== undefined && this.#child?.exitCode === null && process.kill(pid, name);
  }

  async end(): Promise<void> {
    this.#over = true;
    this.signal("SIGKILL");
    await this.#running;
  }

  async #run(): Promise<void> {
    const main = join(repositoryRoot, "dist/test/brokers/publisher-main.js");
    while (!this.#over) {
      const child = spawn(process.execPath, [main], {
        env: this.#environment,
        stdio: ["ignore", "pipe", "inherit"],
      });
      this.#child = child;
      const lines = createInterface({ input: child.stdout });
      lines.on("line", (line) => {
        if (line.startsWith("failed ")) this.failures.push(line.slice("failed ".length));
      });
      await once(child, "exit");
      // One that fails at once must not spin.
      if (!this.#over) await pause(100);
    }
  }
}
