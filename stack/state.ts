import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { TributaryError } from "../engine/service/errors.js";

const port = z.number().int().min(1).max(65535);

const stateSchema = z.object({
  format: z.literal(1),
  /** Decided at the first start and kept: the data lives there. */
  mode: z.enum(["compose", "local"]),
  /** Chosen at the first start and kept, so that addresses stay what they were. */
  ports: z.object({ kafka: port, controller: port, registry: port, postgres: port }),
  /** Kafka's cluster id, 16 bytes in base64url. */
  clusterId: z.string().min(16),
});

/** What a stack must remember between commands. Kept in `stack.json`; nothing secret is in it. */
export type StackState = Readonly<z.output<typeof stateSchema>>;
export type StackPorts = StackState["ports"];

const pathOf = (home: string) => join(home, "stack.json");

/**
 * The state of the stack below a folder; undefined before its first start.
 * @throws TRIB_STACK_STATE_UNREADABLE when the file is there and is not a state.
 */
export function readState(home: string): StackState | undefined {
  let text: string;
  try {
    text = readFileSync(pathOf(home), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new TributaryError(
      "TRIB_STACK_STATE_UNREADABLE",
      `${pathOf(home)} is not the state of a stack.`,
      {},
      { cause: error },
    );
  }
}

/** Writes the state whole or not at all. */
export function writeState(home: string, state: StackState): void {
  mkdirSync(home, { recursive: true });
  const draft = `${pathOf(home)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(draft, pathOf(home));
}
