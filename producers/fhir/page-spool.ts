import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TributaryError } from "../../engine/service/errors.js";

/** Bytes of pages that stay in memory. */
const inMemory = 8_000_000;

/** Pages that are read in another order than they came: the first few in memory, the rest in files that only this user can read. */
export class PageSpool {
  readonly #pages: (Buffer | string)[] = [];
  readonly #limit: number;
  #held = 0;
  #bytes = 0;
  #folder: string | undefined;

  /** @param limit most bytes of all pages together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#pages.length;
  }

  /** @throws TRIB_RECEPTION_HISTORY_TOO_LARGE when they are more than may wait. */
  async add(page: Buffer): Promise<void> {
    this.#bytes += page.length;
    if (this.#bytes > this.#limit) {
      throw new TributaryError("TRIB_RECEPTION_HISTORY_TOO_LARGE", undefined, {
        limit: this.#limit,
        pages: this.#pages.length,
      });
    }
    if (this.#held + page.length <= inMemory) {
      this.#held += page.length;
      this.#pages.push(page);
      return;
    }
    this.#folder ??= await mkdtemp(join(tmpdir(), "tributary-pages-"));
    const path = join(this.#folder, String(this.#pages.length));
    await writeFile(path, page, { mode: 0o600 });
    this.#pages.push(path);
  }

  async page(index: number): Promise<Buffer> {
    const kept = this.#pages[index]!;
    return typeof kept === "string" ? readFile(kept) : kept;
  }

  /** Forgets the pages. */
  async release(): Promise<void> {
    this.#pages.length = 0;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}
