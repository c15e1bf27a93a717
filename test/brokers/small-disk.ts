import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A disk of a broker's own that can be filled, so that only this broker's is full. */
export class SmallDisk {
  readonly #folder: string;
  readonly #ballast: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#ballast = join(folder, "ballast");
  }

  /** @returns undefined where this user may not mount one: the disk is then the machine's, and never full. */
  static mount(folder: string, megabytes: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    if (!existsSync("/bin/mount") && !existsSync("/usr/bin/mount")) return undefined;
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "ignore" });
      return new SmallDisk(folder);
    } catch {
      return undefined;
    }
  }

  /** Takes all that is free of it. */
  fill(): void {
    const block = Buffer.alloc(1_048_576);
    const { bavail, bsize } = statfsSync(this.#folder);
    try {
      for (let left = bavail * bsize; left > -block.length; left -= block.length)
        writeFileSync(this.#ballast, block, { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.#folder]);
  }
}
