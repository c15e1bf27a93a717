import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The files of a stack that hold 64 hexadecimal digits each, readable by their owner alone. */
export interface StackSecrets {
  readonly secretFile: string;
  readonly kekFile: string;
  /** The notary's signing key. */
  readonly notaryKeyFile: string;
  /** Password of the local database. */
  readonly databasePasswordFile: string;
}

/** Makes the secrets that are absent; one that is there is never touched, or everything sealed with it is lost. */
export function ensureSecrets(home: string): StackSecrets {
  const folder = join(home, "secrets");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ensure = (name: string): string => {
    const path = join(folder, `${name}.hex`);
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    return path;
  };
  return {
    secretFile: ensure("secret"),
    kekFile: ensure("kek"),
    notaryKeyFile: ensure("notary"),
    databasePasswordFile: ensure("postgres"),
  };
}

/**
 * Keeps the whole address of the database beside its password, for clients that are given one: no output of a command has
 * the password. Written anew when the address has changed.
 * @returns the file, readable by its owner alone.
 */
export function keepDatabaseUrl(home: string, databaseUrl: string): string {
  const path = join(home, "secrets", "database-url");
  if (existsSync(path) && readSecret(path) === databaseUrl) return path;
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${databaseUrl}\n`, { mode: 0o600 });
  renameSync(draft, path);
  return path;
}

/** The content of a secret file, trimmed. */
export function readSecret(path: string): string {
  return readFileSync(path, "utf8").trim();
}
