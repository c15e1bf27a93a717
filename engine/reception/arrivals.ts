import { type FSWatcher, watch } from "node:fs";
import { statfs } from "node:fs/promises";

/**
 * File systems of this machine alone, by the number that Linux has for them: ext, XFS, Btrfs, tmpfs, overlay. Of others not
 * every write is told.
 */
const local: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630]);

/**
 * What the system tells of a folder: that something happened in it, and which files were moved into it whole. A file that is
 * made in the folder is told of as new and then as written; one that is moved in, as new only. Where the system tells
 * nothing, no file is known to be whole.
 */
export class Arrivals {
  /** When files were moved in, by the monotonic clock. */
  readonly #whole = new Map<string, number>();
  #watcher: FSWatcher | undefined;
  #happened = false;
  #wake: (() => void) | undefined;

  /** Looks at a folder from now on. */
  async watch(folder: string): Promise<void> {
    if (process.platform !== "linux") return;
    try {
      if (!local.has((await statfs(folder)).type)) return;
      this.#watcher = watch(folder, { persistent: false }, (kind, name) => {
        if (name === null) this.#whole.clear();
        else if (kind === "rename") this.#whole.set(name, performance.now());
        else this.#whole.delete(name);
        this.#happened = true;
        this.#wake?.();
      });
      // The folder went away, or there are too many watchers: the regular looks go on.
      this.#watcher.on("error", () => this.close());
    } catch {
      this.close();
    }
  }

  /** Milliseconds since a file was moved in, when nothing happened to it since; 0 where that is not known. */
  wholeFor(name: string): number {
    const since = this.#whole.get(name);
    return since === undefined ? 0 : performance.now() - since;
  }

  /** Forgets what is not there any more. */
  keepOnly(names: readonly string[]): void {
    for (const name of this.#whole.keys()) if (!names.includes(name)) this.#whole.delete(name);
  }

  /** Waits until something happens, or has since the last call; at most for a time. */
  async next(milliseconds: number, stop: AbortSignal): Promise<void> {
    if (stop.aborted) return;
    if (!this.#happened) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          stop.removeEventListener("abort", done);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        stop.addEventListener("abort", done, { once: true });
        this.#wake = done;
      });
    }
    this.#happened = false;
  }

  close(): void {
    this.#whole.clear();
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
