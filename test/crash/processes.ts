import { EventEmitter, once } from "node:events";
import type { Ended, SupervisorOptions } from "../../engine/service/supervisor.js";

/** What a supervisor starts and what becomes of it. */
export class WatchedProcesses {
  readonly ends: Ended[] = [];
  readonly #pids = new Map<string, number>();
  readonly #events = new EventEmitter().setMaxListeners(100);

  /** To be given to the supervisor. */
  readonly watch: Required<Pick<SupervisorOptions, "onStarted" | "onEnded">> = {
    onStarted: ({ name, pid }) => {
      this.#pids.set(name, pid);
      this.#events.emit(`started ${name}`, pid);
    },
    onEnded: (ended) => {
      this.ends.push(ended);
      this.#pids.delete(ended.name);
      this.#events.emit(`ended ${ended.name}`, ended);
    },
  };

  /** The running process of a name; undefined between an end and the next start. */
  pid(name: string): number | undefined {
    return this.#pids.get(name);
  }

  /** The next process of a name that is started after this call. */
  async nextStart(name: string): Promise<number> {
    const [pid] = (await once(this.#events, `started ${name}`)) as [number];
    return pid;
  }

  /** Sends a signal to the running process of a name, and waits for its end. */
  async end(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<Ended> {
    const pid = this.#pids.get(name);
    if (pid === undefined) throw new Error(`${name} isn't running`);
    const ended = once(this.#events, `ended ${name}`);
    process.kill(pid, signal);
    const [how] = (await ended) as [Ended];
    return how;
  }
}
