import { constants } from "node:fs";
import { access, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "pino";
import { errorDefinitions } from "../service/error-definitions.js";
import { TributaryError } from "../service/errors.js";
import { Arrivals } from "./arrivals.js";
import { type FileContent, writeDurably } from "./durable-file.js";

/** A file of a partner that was claimed. */
export interface DroppedFile {
  readonly partner: string;
  /** Name under which it was claimed. */
  readonly name: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** What became of a dropped file. */
export interface TakenFile {
  /** Everything in it was accepted: it belongs in `done/`, else in `failed/`. */
  readonly accepted: boolean;
  /** What its sender is told, each in a file `<name><ending>`, written in this order. */
  readonly answers: readonly { readonly ending: string; readonly content: FileContent }[];
  /** Called when the answers stand in their files, before the file is moved. What it throws is only logged. */
  answered?(): Promise<void>;
  /** Called when the file has been moved, or could not be. */
  release?(): Promise<void>;
}

export interface DropFolderOptions {
  /** Folder of the partners' folders. */
  readonly inbox: string;
  readonly partners: Iterable<string>;
  /** Endings of the files with the answer; where one of them stands, its file has been answered. */
  readonly answers: readonly string[];
  /** Endings of further files, written before the answer. */
  readonly besides?: readonly string[];
  /**
   * Journals a file and says what its sender is told.
   * @throws a retriable {@link TributaryError} when it could not be made durable, or an error of the file system: it is
   *   taken again; a final one: it is answered by `<name>.problem.json`. Any other error is tried a few times.
   */
  readonly take: (file: DroppedFile) => Promise<TakenFile>;
  readonly logger: Logger;
  /** Milliseconds for which a file must stand still (`CONNECTOR_STILL_SECONDS`); default 500. */
  readonly interval?: number;
  /** Milliseconds before a file that could not be made durable is tried again. Default 2000. */
  readonly retryAfter?: number;
}

export interface DropFolder {
  /** Finishes the file in hand, then stops. */
  close(): Promise<void>;
}

/** Ending of the answer to a file that could not be taken in for a final reason. */
const problemEnding = ".problem.json";
/** How often a file is tried that fails by an error nobody foresaw. */
const mostTries = 3;
/** Milliseconds for which a file that was moved in whole has lain there at least. */
const wholeInterval = 20;
/** Milliseconds between two looks at files that wait until they stand still. */
const lookInterval = 100;
/** Milliseconds between two looks where nothing is told of. */
const mostPause = 500;
/** Milliseconds between two looks at least, however much happens. */
const leastPause = 20;

const FOLDERS = ["in", "working", "done", "failed", "out"] as const;

/**
 * Takes files from `<inbox>/<partner>/in`, one after another for a partner, by name.
 *
 * A file is taken when its size and time have not changed for some time and its name is not hidden, `.tmp` or `.part`; one
 * that was seen to be moved in whole is taken sooner. It is claimed by a rename into `working/`, journalled, answered by
 * files in `out/` and beside the file, and moved to `done/` when everything in it was accepted, else to `failed/`. Nothing
 * is ever overwritten: a name that was used before gets a number. One that still grows while it is in hand is taken anew
 * when it has stood still for as long again, and answered once. A file found in `working/` at the start is taken in again;
 * the answer that it may have beside its next place already stays as it is. Where the log can't be reached the file waits
 * in `working/`, without an answer. One that fails for a final reason goes to `failed/` with that reason, and holds up none
 * behind it.
 */
export async function startDropFolder(options: DropFolderOptions): Promise<DropFolder> {
  const stop = new AbortController();
  const lanes: Promise<void>[] = [];
  for (const partner of options.partners) {
    const lane = new Lane(partner, options, stop.signal);
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
  readonly #options: DropFolderOptions;
  readonly #stop: AbortSignal;
  readonly #interval: number;
  readonly #arrivals = new Arrivals();
  /** Whether a file that seems to have been moved in whole waits until it may be taken. */
  #isMovedIn = false;
  /** Size and time of the files that wait, and since when they are the same. */
  readonly #seen = new Map<string, { readonly state: string; readonly since: number }>();

  constructor(partner: string, options: DropFolderOptions, stop: AbortSignal) {
    this.#partner = partner;
    this.#options = options;
    this.#stop = stop;
    this.#interval = options.interval ?? 500;
  }

  async prepare(): Promise<void> {
    for (const folder of FOLDERS) await mkdir(this.#path(folder), { recursive: true, mode: 0o700 });
    await this.#arrivals.watch(this.#path("in"));
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
      await this.#pause(Math.min(leastPause, this.#interval));
      const pause = this.#isMovedIn ? wholeInterval : this.#seen.size > 0 ? lookInterval : mostPause;
      await this.#arrivals.next(Math.min(pause, this.#interval), this.#stop);
    }
    this.#arrivals.close();
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

  /** Files in `in/` whose size and time have not changed for the interval; for less where they were moved in whole. */
  async #settled(): Promise<string[]> {
    const settled: { readonly name: string; readonly moved: boolean }[] = [];
    this.#isMovedIn = false;
    const names = await this.#names("in");
    for (const name of names) {
      const found = await stat(this.#path("in", name)).catch(() => null);
      if (!found) continue;
      const now = performance.now();
      const state = `${found.size}/${found.mtimeMs}`;
      const seen = this.#seen.get(name);
      const since = seen?.state === state ? seen.since : now;
      this.#seen.set(name, { state, since });
      // A file that was just made is empty, and one with another name may be written to under that.
      const wholeFor = found.size > 0 && found.nlink === 1 ? this.#arrivals.wholeFor(name) : 0;
      if (now - since >= this.#interval) settled.push({ name, moved: false });
      else if (wholeFor >= wholeInterval) settled.push({ name, moved: true });
      else if (wholeFor > 0) this.#isMovedIn = true;
    }
    // Whatever was written before its size was seen has been told of when the event loop has gone round.
    if (settled.some(({ moved }) => moved)) {
      await turn();
      await turn();
    }
    for (const name of this.#seen.keys()) if (!names.includes(name)) this.#seen.delete(name);
    this.#arrivals.keepOnly(names);
    return settled.filter(({ name, moved }) => !moved || this.#arrivals.wholeFor(name) > 0).map(({ name }) => name);
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
    const { answers, besides = [] } = this.#options;
    for (const folder of ["done", "failed", "out"] as const)
      for (const ending of ["", problemEnding, ...answers, ...besides])
        if (await exists(this.#path(folder, name + ending))) return true;
    return false;
  }

  /** Where a file belongs whose answer a process wrote before it was killed. */
  async #answeredIn(name: string): Promise<"done" | "failed" | null> {
    for (const folder of ["done", "failed"] as const)
      for (const ending of [problemEnding, ...this.#options.answers])
        if (await exists(this.#path(folder, name + ending))) return folder;
    return null;
  }

  /** Takes a claimed file until it is durable or can't be, answers it and moves it. */
  async #take(name: string): Promise<void> {
    const path = this.#path("working", name);
    for (let tries = 1; !this.#stop.aborted; ) {
      try {
        const file = { partner: this.#partner, name, path, size: (await stat(path)).size };
        const taken = await this.#options.take(file).catch((error: unknown) => {
          if (isFinal(error, tries)) return this.#refused(error);
          if (!isPassing(error)) tries += 1;
          throw error;
        });
        if ((await stat(path).catch(() => null))?.size !== file.size) {
          await taken.release?.();
          this.#options.logger.warn({ partner: this.#partner }, "A dropped file grew while it was in hand: taken anew");
          await this.#pause(this.#interval);
          continue;
        }
        try {
          await this.#answer(name, taken);
        } finally {
          await taken.release?.();
        }
        return;
      } catch (error) {
        const { logger, retryAfter = 2000 } = this.#options;
        if (!(await exists(path))) {
          logger.error({ partner: this.#partner }, "A dropped file was taken away while it was in hand");
          return;
        }
        const retriable = error instanceof TributaryError && error.definition.retriable;
        const message = retriable ? "A dropped file waits until the log can be reached" : "A dropped file failed";
        logger.warn({ err: error, partner: this.#partner }, message);
        await this.#pause(retryAfter);
      }
    }
  }

  /** The answer to a file that no repetition would take in. What was journalled of it before stays. */
  #refused(error: unknown): TakenFile {
    this.#options.logger.error({ err: error, partner: this.#partner }, "A dropped file can't be taken in");
    const code = error instanceof TributaryError ? error.code : "TRIB_SERVICE_UNEXPECTED";
    const { summary, remedy } = errorDefinitions[code];
    const taken = "Units before the failure may have been taken in: sent again, they are known.";
    const content = Buffer.from(`${JSON.stringify({ code, title: summary, remedy, taken })}\n`);
    return { accepted: false, answers: [{ ending: problemEnding, content }] };
  }

  /**
   * First the answer, then the note in the journal that it was given, then the move. Killed before the note, the file is
   * taken in as if for the first time; killed after it, the file would be its own duplicate, but for the answer it has.
   */
  async #answer(name: string, taken: TakenFile): Promise<void> {
    const before = await this.#answeredIn(name);
    const folder = before ?? (taken.accepted ? "done" : "failed");
    for (const { ending, content } of before ? [] : taken.answers) {
      await writeDurably([this.#path("out", name + ending), this.#path(folder, name + ending)], content);
    }
    await taken.answered?.().catch((error: unknown) => {
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

/** What comes right by itself or by an operator: the log is away, the disk is full, the database objects. */
function isPassing(error: unknown): boolean {
  if (error instanceof TributaryError) return error.definition.retriable;
  return error instanceof Error && ("syscall" in error || "severity" in error);
}

function isFinal(error: unknown, tries: number): boolean {
  if (isPassing(error)) return false;
  return tries >= mostTries || (error instanceof TributaryError && error.code !== "TRIB_SERVICE_UNEXPECTED");
}
