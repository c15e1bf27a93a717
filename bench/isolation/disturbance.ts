import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { frame, frameReader } from "../../demo/mllp.js";

/** What a bad neighbour does, in a thread of its own. */
export interface Disturbance {
  /** `busy` only uses processor time, and touches nothing of ours. */
  readonly kind: "flood" | "poison" | "busy";
  /** Address of the connector that is disturbed. */
  readonly url: string;
  /** Sending facilities of the flood: each is a feed of its own. */
  readonly facilities: readonly string[];
  /** Tells one flood's messages from another's. */
  readonly run: string;
  /** Folder of malformed samples; without it poison is made up alone. */
  readonly corpus: string | undefined;
}

/** Said once, when it is in full swing. */
const begun = "begun";

/** What it came to. */
export interface Disturbed {
  readonly sent: number;
  readonly answered: number;
  /** Connections that were lost, by a kill or by the connector's decision. */
  readonly lost: number;
}

const { kind, url, facilities, run, corpus } = workerData as Disturbance;
const connections = kind === "flood" ? 16 : 4;
/** Messages on the way on one connection. */
const window = kind === "flood" ? 16 : 1;
const longestAnswer = 2_000;
const told = { sent: 0, answered: 0, lost: 0 };
let over = false;
let number = 0;

function admission(): Buffer {
  const id = `${run}${number++}`;
  const facility = facilities[number % facilities.length];
  const segments = [
    `MSH|^~\\&|ADT|${facility}|HUB|ENGINE|20260301030405||ADT^A01|${id}|P|2.5.1`,
    "EVN|A01|20260301030405",
    `PID|1||${id}^^^${facility}^MR||Doe^Jane^Q||19800229|F|||1 Main St^^Boston^MA^02101^US||555-0100`,
    `PV1|1|I|ICU^1^A^${facility}||||||||||||||||V${id}^^^${facility}^VN`,
  ];
  return Buffer.from(`${segments.join("\r")}\r`);
}

/** Malformed samples, noise, and messages that are far too large or deep. */
function poisons(): Buffer[] {
  const folder = corpus && join(corpus, "malformed", "hl7v2");
  const listed = folder && existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  const files = listed.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
  const head = "MSH|^~\\&|ADT|POISON|HUB|ENGINE|20260301030405||ADT^A01|P1|P|2.5.1\rEVN|A01|20260301030405\r";
  return [
    ...files.map((name) => readFileSync(join(folder as string, name))),
    Buffer.from(`${head}PID|1||${"A".repeat(12_000_000)}\r`),
    Buffer.from(head + "ZZZ|x\r".repeat(400_000)),
    Buffer.from(`${head}PID|1||${"N^^^POISON^MR~".repeat(100_000)}\r`),
    Buffer.alloc(3_000_000, 0x0d),
    Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 7919) % 256)),
  ];
}

const bad = kind === "poison" ? poisons().map((bytes) => frame(bytes)) : [];
const nextFrame = (): Buffer => (kind === "flood" ? frame(admission()) : (bad[number++ % bad.length] as Buffer));

function open(): Promise<Socket | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once("error", () => resolve(undefined));
    socket.once("connect", () => resolve(socket));
  });
}

/** One connection, made anew whenever it is lost. */
async function lane(): Promise<void> {
  while (!over) {
    const socket = await open();
    if (!socket) {
      await pause(50);
      continue;
    }
    await new Promise<void>((resolve) => {
      let onTheWay = 0;
      let patience: NodeJS.Timeout | undefined;
      const fill = () => {
        clearTimeout(patience);
        if (over) return void socket.destroy();
        for (; onTheWay < window; onTheWay++, told.sent++) socket.write(nextFrame());
        patience = setTimeout(() => socket.destroy(), longestAnswer);
      };
      socket.on(
        "data",
        frameReader(() => {
          told.answered++;
          if (told.answered === connections) parentPort?.postMessage(begun);
          onTheWay--;
          fill();
        }),
      );
      socket.on("error", () => {});
      socket.once("close", () => {
        clearTimeout(patience);
        if (!over) told.lost++;
        resolve();
      });
      fill();
    });
  }
}

parentPort?.once("message", () => {
  over = true;
});
/** Computes without end, with a look at the clock between two stretches. */
async function compute(): Promise<void> {
  parentPort?.postMessage(begun);
  while (!over) {
    for (const until = performance.now() + 20; performance.now() < until; ) number++;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await (kind === "busy" ? compute() : Promise.all(Array.from({ length: connections }, lane)));
parentPort?.postMessage(told satisfies Disturbed);
parentPort?.close();
