import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../intake/connector.js";
import { processIdentity } from "./identity.js";

export type ProcessKind = "connector" | "publisher" | "consumer" | "console" | "supervisor";

/** What a running process tells `tributary status` about itself, in a file of its own. */
export interface Registration {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly pid: number;
  /** Tells the process from any other that ever gets its pid. */
  readonly identity: string;
  readonly addresses: readonly Address[];
  /** Base of /livez, /readyz, /metrics and /state. */
  readonly admin: string | null;
  /** Of a supervisor: names of the processes that it keeps alive. */
  readonly keeps?: readonly string[];
}

const folderOf = (home: string) => join(home, "run");
const fileOf = (home: string, registration: Pick<Registration, "name" | "pid">) =>
  join(folderOf(home), `${registration.name}-${registration.pid}.json`);

/** Writes the registration as a whole; gives what removes it again. */
export function register(home: string, facts: Omit<Registration, "pid" | "identity">): () => void {
  const registration: Registration = { ...facts, pid: process.pid, identity: processIdentity() ?? "" };
  mkdirSync(folderOf(home), { recursive: true });
  const file = fileOf(home, registration);
  writeFileSync(`${file}.new`, JSON.stringify(registration));
  renameSync(`${file}.new`, file);
  return () => rmSync(file, { force: true });
}

/** Processes registered and still the ones that registered; files of dead ones are removed. */
export function registered(home: string): Registration[] {
  let files: string[];
  try {
    files = readdirSync(folderOf(home)).filter((file) => file.endsWith(".json"));
  } catch {
    return [];
  }
  const found: Registration[] = [];
  for (const file of files.sort()) {
    const path = join(folderOf(home), file);
    try {
      const registration = JSON.parse(readFileSync(path, "utf8")) as Registration;
      if (processIdentity(registration.pid) === registration.identity) found.push(registration);
      else rmSync(path, { force: true });
    } catch {
      rmSync(path, { force: true });
    }
  }
  return found;
}
