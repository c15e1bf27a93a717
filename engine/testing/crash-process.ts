import { fork } from "node:child_process";
import { join } from "node:path";
import type { OutgoingRecord } from "../log/log.js";
import type { Decision } from "../projector/decisions.js";
import { builtRoot } from "../service/root.js";
import { type FailPoint, failPointSetting, failPointText, type SeenCall } from "./failpoints.js";
import type { MemoryLog } from "./memory-log.js";

/** What a child process of the crash specs is to do. */
export interface ChildWork {
  readonly kind: "consumer" | "publisher" | "rebuild";
  readonly databaseUrl: string;
  readonly partitions: number;
  readonly batchRecords: number;
  /** Id of the journal, for the publisher. */
  readonly journal: string;
  /** A consumer of the installation whose read models are kept; default: one made up for crashes. */
  readonly consumer?: string;
  /** The one of its projections that is rebuilt; default its first. */
  readonly projection?: string;
  /** Events whose sealed content nobody opens any more, by id; default none. */
  readonly forgotten?: readonly string[];
  /** What operators decided; default nothing. */
  readonly decided?: readonly Decision[];
  /** Memory in which a rebuild fills; default so little that one partition of the crash history has room. */
  readonly memoryBytes?: number;
  /** A rebuild is handed over, compared and swapped: only the calls that do that count. */
  readonly whole?: boolean;
  /** The log as it stands, partition by partition. */
  readonly records: readonly (OutgoingRecord & { readonly timestamp: number })[];
}

/** The child's way to the log that outlives it. */
export interface BrokerCall {
  readonly number: number;
  readonly append: readonly OutgoingRecord[];
}

export interface ChildResult {
  readonly calls: readonly SeenCall[];
}

/** What became of a child: killed at a call, or ended with all calls made, when the point lay beyond the last one. */
export type ChildEnd = { readonly diedAt: SeenCall["kind"] } | ChildResult;

/** Records of a log's topic, as a child is given them. */
export const recordsOf = (log: MemoryLog, topic: string, partitions: number): ChildWork["records"] =>
  Array.from({ length: partitions }, (_, partition) =>
    log.records(topic, partition).map(({ key, value, headers, timestamp }) => ({
      topic,
      partition,
      key,
      value: value as Buffer,
      headers,
      timestamp,
    })),
  ).flat();

const longestRunMilliseconds = 60_000;

/**
 * Runs one child to its end, by itself or at a fail point.
 * @param broker the log that the child's sends go to.
 * @throws when the child ends in any other way, with what it said.
 */
export function runChild(work: ChildWork, broker: MemoryLog, strike?: FailPoint): Promise<ChildEnd> {
  return new Promise((resolve, reject) => {
    const child = fork(join(builtRoot, "engine/testing/crash-child.js"), {
      serialization: "advanced",
      // A test runner's own parameters are not for a program.
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, [failPointSetting]: strike ? failPointText(strike) : "" },
    });
    const overdue = setTimeout(() => child.kill("SIGKILL"), longestRunMilliseconds);
    let result: ChildResult | undefined;
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    child.on("message", (message: BrokerCall | ChildResult) => {
      if ("calls" in message) {
        result = message;
        return;
      }
      void (async () => {
        const producer = await broker.producer();
        await producer.append(message.append.map((record) => ({ ...record, value: Buffer.from(record.value) })));
        // The child may be gone by now; what it sent stays.
        if (child.connected) child.send({ appended: message.number }, () => {});
      })();
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(overdue);
      const diedAt = /^dies at (.+)$/m.exec(said)?.[1] as SeenCall["kind"] | undefined;
      if (signal === "SIGKILL" && diedAt) resolve({ diedAt });
      else if (code === 0 && result) resolve(result);
      else reject(new Error(`a child ended with ${signal ?? code}: ${said}`));
    });
    child.send(work);
  });
}
