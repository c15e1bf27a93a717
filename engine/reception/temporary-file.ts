import { createReadStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes up to this size stay in memory. */
const inMemory = 1_048_576;

/** Bytes that are written piece by piece and then read, in memory while they are few, else in a file that only this user can read. */
export class TemporaryFile {
  size = 0;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #file: { readonly folder: string; readonly path: string; readonly handle: FileHandle } | null = null;

  async append(bytes: Buffer): Promise<void> {
    this.size += bytes.length;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= inMemory) return;
    if (!this.#file) {
      const folder = await mkdtemp(join(tmpdir(), "tributary-"));
      const path = join(folder, "content");
      this.#file = { folder, path, handle: await open(path, "wx", 0o600) };
    }
    const held = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    await this.#file.handle.appendFile(held);
  }

  /** All bytes written, from the first. May be asked for more than once. */
  async *content(): AsyncGenerator<Buffer> {
    if (this.#file) yield* createReadStream(this.#file.path) as AsyncIterable<Buffer>;
    yield* this.#held;
  }

  /** Forgets the bytes. */
  async release(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#held = [];
    await file?.handle.close();
    if (file) await rm(file.folder, { recursive: true, force: true });
  }
}
