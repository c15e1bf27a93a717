import { constants } from "node:fs";
import { access, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { TributaryError } from "../../engine/service/errors.js";
import { writeDurably } from "./durable-file.js";
import { type Desk, type Reception, receive } from "./reception.js";
import { fileSource } from "./source.js";

export interface DropFolderOptions {
  /** Folder of the partners' folders. */
  readonly inbox: string;
  readonly logger: Logger;
  /** Milliseconds between two looks. Default 500. */
  readonly interval?: number;
  /** Milliseconds before a file that could not be made durable is tried again. Default 2000. */
  readonly retryAfter?: number;
}

export interface DropFolder {
  /** Finishes the file in hand, then stops. */
  close(): Promise<void>;
}

const FOLDERS = ["in", "working", "done", "failed", "out"] as const;
const ANSWERS = [".999", ".problem.json"] as const;

/**
 * Takes files from `<inbox>/<partner>/in`, one after another for a partner, by name.
 *
 * A file is taken when its size has not changed between two looks and its name is not hidden, `.tmp` or `.part`. It is
 * claimed by a rename into `working/`, journalled, answered by `<name>.999` in `out/` and beside the file, and moved to
 * `done/` when everything in it was accepted, else to `failed/`. What can't be read as X12 gets `<name>.problem.json`
 * instead. Nothing is ever overwritten: a name that was used before gets a number. A file found in `working/` at the start
 * is taken in again; the answer that it may have beside its next place already stays as it is. Where the log can't be reached the file waits in
 * `working/`, without an answer.
 */
export async function startDropFolder(desk: Desk, options: DropFolderOptions): Promise<DropFolder> {
  const stop = new AbortController();
  const lanes: Promise<void>[] = [];
  for (const partner of desk.profiles.keys()) {
    const lane = new Lane(partner, desk, options, stop.signal);
    await lane.prepare();
    lanes.push(lane.run());
  }
  return {
    async close() {
      stop.abort();
      await Promise.all(lanes);
    },
  };
}

/** The files of one partner, in order. */
class Lane {
  readonly #partner: string;
  readonly #desk: Desk;
  readonly #options: DropFolderOptions;
  readonly #stop: AbortSignal;
  readonly #sizes = new Map<string, string>();

  constructor(partner: string, desk: Desk, options: DropFolderOptions, stop: AbortSignal) {
    this.#partner = partner;
    this.#desk = desk;
    this.#options = options;
    this.#stop = stop;
  }

  async prepare(): Promise<void> {
    for (const folder of FOLDERS) await mkdir(this.#path(folder), { recursive: true, mode: 0o700 });
  }

  async run(): Promise<void> {
    let left = await this.#names("working");
    while (!this.#stop.aborted) {
      try {
        for (const name of left) await this.#take(name);
        left = [];
        for (const name of await this.#settled()) {
          const claimed = await this.#claim(name);
          if (claimed) await this.#take(claimed);
        }
      } catch (error) {
        this.#options.logger.error({ err: error, partner: this.#partner }, "A drop folder could not be read");
        left = await this.#names("working").catch(() => []);
      }
      await this.#pause(this.#options.interval ?? 500);
    }
  }

  #path(folder: (typeof FOLDERS)[number], name = ""): string {
    return join(this.#options.inbox, this.#partner, folder, name);
  }

  async #names(folder: (typeof FOLDERS)[number]): Promise<string[]> {
    const found = await readdir(this.#path(folder), { withFileTypes: true });
    return found
      .filter((entry) => entry.isFile() && !/^\.|\.(tmp|part)$/i.test(entry.name))
      .map((entry) => entry.name)
      .sort();
  }

  /** Files in `in/` whose size and time have not changed since the last look. */
  async #settled(): Promise<string[]> {
    const settled: string[] = [];
    const names = await this.#names("in");
    for (const name of names) {
      const found = await stat(this.#path("in", name)).catch(() => null);
      if (!found) continue;
      const state = `${found.size}/${found.mtimeMs}`;
      if (this.#sizes.get(name) === state) settled.push(name);
      this.#sizes.set(name, state);
    }
    for (const name of this.#sizes.keys()) if (!names.includes(name)) this.#sizes.delete(name);
    return settled;
  }

  /** Moves a file to `working/` under a name that nothing of this partner has had. Null when it is gone. */
  async #claim(name: string): Promise<string | null> {
    if (this.#stop.aborted) return null;
    let claimed = name;
    for (let number = 1; await this.#taken(claimed); number += 1) claimed = `${name}.${number}`;
    try {
      await rename(this.#path("in", name), this.#path("working", claimed));
      return claimed;
    } catch {
      return null;
    }
  }

  async #taken(name: string): Promise<boolean> {
    if (await exists(this.#path("working", name))) return true;
    for (const folder of ["done", "failed", "out"] as const)
      for (const ending of ["", ...ANSWERS]) if (await exists(this.#path(folder, name + ending))) return true;
    return false;
  }

  /** Where a file belongs whose answer a process wrote before it was killed. */
  async #answeredIn(name: string): Promise<"done" | "failed" | null> {
    for (const folder of ["done", "failed"] as const)
      for (const ending of ANSWERS) if (await exists(this.#path(folder, name + ending))) return folder;
    return null;
  }

  /** Takes a claimed file until it is durable, answers it and moves it. */
  async #take(name: string): Promise<void> {
    while (!this.#stop.aborted) {
      try {
        const path = this.#path("working", name);
        const source = fileSource(path, (await stat(path)).size);
        const reception = await receive(source, this.#partner, this.#desk);
        await this.#answer(name, reception);
        return;
      } catch (error) {
        const retriable = error instanceof TributaryError && error.definition.retriable;
        const message = retriable ? "A dropped file waits until the log can be reached" : "A dropped file failed";
        this.#options.logger.warn({ err: error, partner: this.#partner }, message);
        await this.#pause(this.#options.retryAfter ?? 2000);
      }
    }
  }

  /**
   * First the answer, then the note in the journal that it was given, then the move. Killed before the note, the file is
   * taken in as if for the first time; killed after it, the file would be its own duplicate, but for the answer it has.
   */
  async #answer(name: string, reception: Reception): Promise<void> {
    const { problem } = reception.report;
    const before = await this.#answeredIn(name);
    const folder = before ?? (reception.accepted ? "done" : "failed");
    if (!before && reception.answer.length > 0) {
      await writeDurably(this.#path("out", `${name}.999`), reception.answer);
      await writeDurably(this.#path(folder, `${name}.999`), reception.answer);
    }
    if (!before && problem) {
      const facts = { code: "TRIB_X12_UNREADABLE", reason: `X12_${problem.code}`, offset: problem.offset };
      await writeDurably(this.#path("out", `${name}.problem.json`), Buffer.from(`${JSON.stringify(facts)}\n`));
      await writeDurably(this.#path(folder, `${name}.problem.json`), Buffer.from(`${JSON.stringify(facts)}\n`));
    }
    await reception.answered().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, partner: this.#partner }, "An answer given could not be journalled");
    });
    await rename(this.#path("working", name), this.#path(folder, name));
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stop.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, milliseconds);
      const stop = this.#stop;
      function done(): void {
        clearTimeout(timer);
        stop.removeEventListener("abort", done);
        resolve();
      }
      stop.addEventListener("abort", done, { once: true });
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
