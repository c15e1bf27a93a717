import { cpus, release, totalmem, type } from "node:os";

/** Where figures were measured: without it they say little. */
export interface Machine {
  readonly cores: number;
  readonly model: string;
  /** GiB, rounded. */
  readonly memory: number;
  readonly node: string;
  readonly system: string;
}

/** This machine. */
export function thisMachine(): Machine {
  const all = cpus();
  return {
    cores: all.length,
    model: all[0]?.model.trim() ?? "unknown",
    memory: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: `${type()} ${release().split("-")[0]}`,
  };
}

/** One line for tables and documents. */
export const describeMachine = ({ cores, model, memory, node, system }: Machine): string =>
  `${cores} cores (${model}), ${memory} GiB, Node ${node.replace(/^v/, "")}, ${system}`;
