import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { frame, MllpFramer } from "../../producers/hl7v2/mllp.js";
import { readAcknowledgment } from "../../producers/hl7v2/receipt.js";
import type { TestInstallation } from "../installation.js";
import { type Delivery, fhirLines, makeDelivery } from "./deliveries.js";
import type { Answered } from "./partner.js";

/** What senders without an end of things to send came to, while the log was slow and after. */
export interface Flood {
  readonly answered: readonly Answered[];
  /** Bytes that the connector took while the log was slow, and the longest time that it took none, milliseconds. */
  readonly taken: number;
  readonly heldBack: number;
  /** Memory of the connector before, and the most since, bytes. */
  readonly before: number;
  readonly most: number;
}

/** Numbers of deliveries that no other partner of the load comes to. */
const firstNumber = 5_000_000;
/** Text that makes a message of some size, in fields that the standard's limits allow. */
const ballast = Array.from({ length: 4 }, (_, index) => `OBX|${index + 1}|TX|N||${"x".repeat(60_000)}\r`).join("");

interface Sender {
  readonly answered: Answered[];
  readonly taken: () => number;
  /** Sends until it is over; resolves when all that was sent is answered. */
  work(over: () => boolean): Promise<void>;
}

/** Deliveries of one piece of a bulk file. */
const linesAtOnce = 100;

const told = (accepted: boolean) => ({ controlId: null, code: null, location: null, answer: null, accepted });

/** Senders that never wait for an answer before they send the next message. */
function mllpSender(url: URL, from: number): Sender {
  const answered: Answered[] = [];
  const socket = connect(Number(url.port), url.hostname);
  return {
    answered,
    // What the connector's side has not taken waits here, or in the machine's own buffers of a few megabytes.
    taken: () => socket.bytesWritten - socket.writableLength,
    async work(over) {
      const sent: Delivery[] = [];
      const framer = new MllpFramer(1_000_000);
      const closed = once(socket, "close");
      socket.on("data", (chunk: Buffer) => {
        for (const { bytes } of framer.push(chunk)) {
          const delivery = sent[answered.length] as Delivery;
          const { accepted } = readAcknowledgment(bytes, delivery.bytes);
          answered.push({ connector: "hl7v2", delivery, answers: [[{ index: 0, ...told(accepted) }]] });
          if (over() && answered.length === sent.length) socket.end();
        }
      });
      for (let number = from; !over(); number++) {
        const { bytes, units } = makeDelivery.hl7v2({ number, version: "A", broken: false });
        sent.push({ bytes, units });
        if (socket.write(frame(Buffer.concat([bytes, Buffer.from(ballast)])))) continue;
        await Promise.race([once(socket, "drain"), closed]);
        if (socket.destroyed) break;
      }
      if (answered.length === sent.length) socket.end();
      await closed;
      // What was never answered is told as such: the judge then finds nothing of it, or the count is wrong.
      if (answered.length !== sent.length) throw new Error(`${sent.length - answered.length} messages got no answer`);
    },
  };
}

/** One bulk file that is made as it is taken. */
function linesSender(url: string, from: number): Sender {
  const answered: Answered[] = [];
  let taken = 0;
  return {
    answered,
    taken: () => taken,
    async work(over) {
      const units: Delivery["units"][number][] = [];
      let number = from;
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            await pause(0);
            if (over()) return controller.close();
            const lines = Array.from({ length: linesAtOnce }, () =>
              fhirLines({ number: number++, version: "A", broken: false }),
            );
            const chunk = Buffer.concat(lines.map(({ bytes }) => bytes));
            units.push(...lines.flatMap((line) => line.units));
            taken += chunk.length;
            controller.enqueue(chunk);
          },
        },
        { highWaterMark: 0 },
      );
      const headers = { "content-type": "application/fhir+ndjson" };
      const response = await fetch(url, { method: "POST", headers, body, duplex: "half" } as RequestInit);
      if (response.status !== 200) throw new Error(`a file was answered ${response.status}`);
      await response.body?.cancel();
      const lines = units.map((_, index) => ({ index, ...told(true) }));
      answered.push({ connector: "fhir", delivery: { bytes: Buffer.alloc(0), units }, answers: [lines] });
    },
  };
}

async function residentBytes(admin: string | null | undefined): Promise<number> {
  const text = await fetch(`${admin}/metrics`).then((response) => response.text());
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
}

/**
 * Floods a connector whose log is slow.
 * @param slow makes the log slow, or as it was.
 * @param milliseconds how long it is.
 */
export async function flood(
  connector: "hl7v2" | "fhir",
  installation: TestInstallation,
  slow: (isSlow: boolean) => void,
  milliseconds: number,
): Promise<Flood> {
  const known = installation.process(connector);
  const addresses = (known?.addresses ?? []).filter(({ protocol }) => protocol !== "file");
  const url = addresses.find(({ partner }) => partner === undefined || partner === "generic")?.url ?? "";
  const senders = Array.from({ length: connector === "hl7v2" ? 8 : 1 }, (_, index) =>
    connector === "hl7v2"
      ? mllpSender(new URL(url), firstNumber + index * 100_000)
      : linesSender(url, firstNumber + index),
  );
  const taken = () => senders.reduce((sum, sender) => sum + sender.taken(), 0);
  const before = await residentBytes(known?.admin);
  let over = false;
  slow(true);
  const work = Promise.all(senders.map((sender) => sender.work(() => over)));
  work.catch(() => {});
  let most = before;
  let heldBack = 0;
  const ends = performance.now() + milliseconds;
  for (let [last, since] = [taken(), performance.now()]; performance.now() < ends; ) {
    await pause(50);
    most = Math.max(most, await residentBytes(known?.admin));
    if (taken() === last) heldBack = Math.max(heldBack, performance.now() - since);
    else [last, since] = [taken(), performance.now()];
  }
  const takenWhileSlow = taken();
  over = true;
  slow(false);
  await work;
  return { answered: senders.flatMap((sender) => sender.answered), taken: takenWhileSlow, heldBack, before, most };
}
