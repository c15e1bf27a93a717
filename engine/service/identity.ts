import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * When a process started, as the system tells it: with the pid, the identity of a process.
 * @returns undefined when there is no such process (a zombie counts as none).
 */
function processStartedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in brackets, may hold blanks and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    if (process.platform === "linux") return undefined;
  }
  try {
    return (
      execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
      }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

const shortHash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);

function told(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Where process ids mean something: this machine since it was started, and in it this container. */
function pidScope(): string {
  const boot = told(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  return shortHash(`${hostname()} ${boot} ${told(() => readlinkSync("/proc/self/ns/pid"))}`);
}

/** Names a process for ever and everywhere, in letters, digits and `-`. @returns undefined when there is no such process. */
export function processIdentity(pid: number = process.pid): string | undefined {
  const startedAt = processStartedAt(pid);
  return startedAt === undefined ? undefined : `${pidScope()}-${pid}-${shortHash(startedAt)}`;
}

/** True only when the process was one of this machine or container, and is there no more. */
export function isDead(identity: string): boolean {
  const [scope, pid] = identity.split("-");
  return scope === pidScope() && pid !== undefined && processIdentity(Number(pid)) !== identity;
}
