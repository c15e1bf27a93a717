import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes of pages that stay in memory. */
const inMemory = 8_000_000;

/** Pages that are read in another order than they came: the first few in memory, the rest in files that only this user can read. */
export class PageSpool {
  readonly #pages: (Buffer | string)[] = [];
  #held = 0;
  #folder: string | undefined;

  get count(): number {
    return this.#pages.length;
  }

  async add(page: Buffer): Promise<void> {
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
