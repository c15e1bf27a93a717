import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { TributaryError } from "../service/errors.js";

/** Most assertions remembered; beyond it new ones are refused until old ones are over. */
const mostRemembered = 100_000;

/**
 * Which assertions of clients were used, so that each is good once (RFC 7523): an empty file an assertion, named by a hash
 * of client and `jti`, made before its token is given. So it holds over a restart, and for several processes that share the
 * folder.
 */
export class UsedAssertions {
  readonly #folder: string;
  readonly #milliseconds: number;
  /** Name -> epoch milliseconds of its use, in the order of use. */
  #known: Promise<Map<string, number>> | undefined;

  /** @param seconds for which an assertion may be taken at most, from its first use on. */
  constructor(folder: string, seconds: number) {
    this.#folder = folder;
    this.#milliseconds = seconds * 1000;
  }

  /**
   * Uses an assertion. @returns false when it was used before, or too many are remembered.
   * @throws TRIB_RECEPTION_STATE_UNWRITABLE (retriable) when its use can't be kept: then it gives no token.
   */
  async use(clientId: string, jti: string, now: number): Promise<boolean> {
    const name = createHash("sha256")
      .update(JSON.stringify([clientId, jti]))
      .digest("hex");
    try {
      this.#known ??= this.#load();
      const known = await this.#known;
      await this.#forget(known, now);
      if (known.has(name) || known.size >= mostRemembered) return false;
      const isFirst = await this.#write(name);
      known.set(name, now);
      return isFirst;
    } catch (error) {
      this.#known = undefined;
      throw new TributaryError("TRIB_RECEPTION_STATE_UNWRITABLE", undefined, {}, { cause: error });
    }
  }

  async #load(): Promise<Map<string, number>> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found: [string, number][] = [];
    for (const name of await readdir(this.#folder)) {
      const file = await stat(join(this.#folder, name)).catch(() => undefined);
      if (file) found.push([name, file.mtimeMs]);
    }
    return new Map(found.sort(([, one], [, other]) => one - other));
  }

  /** What could no longer be taken needs no memory. */
  async #forget(known: Map<string, number>, now: number): Promise<void> {
    for (const [name, usedAt] of known) {
      if (usedAt + this.#milliseconds >= now) return;
      known.delete(name);
      await rm(join(this.#folder, name), { force: true });
    }
  }

  /** @returns false when another process was first. */
  async #write(name: string): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(join(this.#folder, name), "wx", 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
    await file.sync().finally(() => file.close());
    const folder = await open(this.#folder, "r");
    await folder.sync().finally(() => folder.close());
    return true;
  }
}
