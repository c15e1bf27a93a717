import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What Linux tells of a process. Elsewhere nothing of this is known, and figures made of it are left out. */
interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** CPU seconds of its own, and of its children that are gone. */
  readonly own: number;
  readonly reaped: number;
}

/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100;

function facts(pid: number): ProcessFacts | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const open = text.indexOf("(");
    const close = text.lastIndexOf(")");
    const fields = text.slice(close + 2).split(" ");
    const seconds = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / ticksPerSecond;
    return { pid, parent: Number(fields[1]), name: text.slice(open + 1, close), own: seconds(11), reaped: seconds(13) };
  } catch {
    return undefined;
  }
}

const pids = (): number[] => {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
};

/** CPU seconds of a process, all its threads included; undefined when it is gone or not to be seen. */
export function cpuSeconds(pid: number): number | undefined {
  const found = facts(pid);
  return found && found.own + found.reaped;
}

/** CPU seconds of a server and its children, living and gone. */
export function treeSeconds(root: number): number | undefined {
  const top = facts(root);
  if (!top) return undefined;
  let sum = top.own + top.reaped;
  for (const pid of pids()) {
    const child = facts(pid);
    if (child?.parent === root) sum += child.own + child.reaped;
  }
  return sum;
}

/** Most bytes that a process ever had in memory (`VmHWM`); undefined when it is gone or not to be seen. */
export function peakBytes(pid: number): number | undefined {
  try {
    const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds that all cores together were busy since the machine started; undefined when not to be seen. */
export function busySeconds(): number | undefined {
  try {
    const [user, nice, system, , , interrupt, soft] = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return [user, nice, system, interrupt, soft].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

const loopback = new Set(["127.0.0.1", "localhost", "::1", "[::1]"]);

/** Sockets that listen on a port here. */
function listeningSockets(port: number): Set<string> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    let text = "";
    try {
      text = readFileSync(table, "utf8");
    } catch {
      continue;
    }
    for (const line of text.split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(wanted) && fields[3] === "0A") sockets.add(`socket:[${fields[9]}]`);
    }
  }
  return sockets;
}

/**
 * The process that serves an address of this machine.
 * @param program how its name begins: a server in a container has a proxy in front, whose time says nothing.
 * @returns undefined when it is elsewhere or not to be seen.
 */
export function serverAt(host: string, port: number, program: string): number | undefined {
  if (!loopback.has(host)) return undefined;
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return undefined;
  for (const pid of pids()) {
    if (!facts(pid)?.name.startsWith(program)) continue;
    try {
      for (const file of readdirSync(`/proc/${pid}/fd`)) {
        if (sockets.has(readlinkSync(`/proc/${pid}/fd/${file}`))) {
          const parent = facts(pid)?.parent;
          // A backend inherits the socket of its server.
          return parent !== undefined && facts(parent)?.name.startsWith(program) ? parent : pid;
        }
      }
    } catch {
      // Another user's process, or one that is gone.
    }
  }
  return undefined;
}
