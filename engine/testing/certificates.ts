import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder in which the command openssl makes the certificates of a spec, which removes it. */
export interface CertificateFolder {
  readonly folder: string;
  /** Path of a file in it. */
  path(name: string): string;
  openssl(...words: string[]): Buffer;
  /** False where there is no such command, which is said once: the specs are to be skipped. */
  readonly hasOpenssl: boolean;
}

export function certificateFolder(name: string): CertificateFolder {
  const folder = mkdtempSync(join(tmpdir(), `tributary-${name}-`));
  const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: folder, stdio: "pipe" });
  let hasOpenssl = true;
  try {
    openssl("version");
  } catch {
    console.log("skipped: no openssl command to make test certificates");
    hasOpenssl = false;
  }
  return { folder, path: (file) => join(folder, file), openssl, hasOpenssl };
}
