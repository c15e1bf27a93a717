import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Receiver } from "../../engine/intake/connector.js";
import { readSettings } from "../../engine/service/settings.js";
import { type RecordingIntake, recordingIntake } from "../../engine/testing/recording-intake.js";
import connector from "./connector.js";
import { frame, MllpFramer } from "./mllp.js";
import { readOutbox } from "./outbox.js";
import { profileSchema } from "./profile.js";
import { hasCorpus, readSample, samplesBelow } from "./testing/corpus.js";
import { messageOf } from "./testing/messages.js";

/** One of each kind there is in the samples, or some of our own. */
function sampleMessages(): Buffer[] {
  const own = ["ADT^A01", "ADT^A40", "ORU^R01", "DFT^P03", "MFN^M02"].map((type) =>
    Buffer.from(messageOf({ type, more: ["MRG|N2^^^NORTH^MR", "OBX|1|TX|||a\\.br\\b", "ZPD|1"] })),
  );
  if (!hasCorpus()) return own;
  const files = samplesBelow("hl7v2").flatMap((path) => readOutbox(readSample(`hl7v2/${path}`)).messages.slice(0, 3));
  return [...own, ...files.filter((message) => message.length < 20_000)];
}

const samples = sampleMessages();
/** What a sender's program may do to a message on its way out. */
type Mutation = (message: Buffer) => Buffer;
const place = fc.double({ min: 0, max: 1, noNaN: true });
const at = (message: Buffer, share: number) => Math.floor(message.length * share);
const splice = (message: Buffer, from: number, to: number, put: Uint8Array) =>
  Buffer.concat([message.subarray(0, from), put, message.subarray(Math.max(from, to))]);
const lines = (message: Buffer, change: (segments: string[]) => string[]) =>
  Buffer.from(change(message.toString("latin1").split("\r")).join("\r"), "latin1");

const mutationOf = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Mutation> =>
  fc.oneof(
    fc.tuple(place, bytes).map(
      ([share, put]): Mutation =>
        (message) =>
          splice(message, at(message, share), 0, put),
    ),
    fc.tuple(place, bytes).map(
      ([share, put]): Mutation =>
        (m) =>
          splice(m, at(m, share), at(m, share) + put.length, put),
    ),
    fc.tuple(place, place).map(
      ([from, to]): Mutation =>
        (m) =>
          splice(m, at(m, from), at(m, to), Buffer.alloc(0)),
    ),
    place.map(
      (share): Mutation =>
        (message) =>
          message.subarray(0, at(message, share)),
    ),
    fc.tuple(fc.nat(8), fc.nat(8)).map(
      ([one, other]): Mutation =>
        (message) =>
          lines(message, (segments) => {
            const [a, b] = [segments[one], segments[other]];
            if (a === undefined || b === undefined) return segments;
            return segments.map((segment, index) => (index === one ? b : index === other ? a : segment));
          }),
    ),
    fc.nat(8).map(
      (index): Mutation =>
        (message) =>
          lines(message, (all) => [...all, all[index] ?? ""]),
    ),
    fc.constantFrom("\n", "\r\n", "\r\r", "\n\r").map(
      (end): Mutation =>
        (message) =>
          Buffer.from(message.toString("latin1").replaceAll("\r", end), "latin1"),
    ),
    fc.tuple(fc.constantFrom(..."|^~\\&"), fc.constantFrom(..."|^~\\&*%$!#")).map(
      ([from, to]): Mutation =>
        (m) =>
          Buffer.from(m.toString("latin1").replaceAll(from, to), "latin1"),
    ),
  );

const anyMessage = (bytes: fc.Arbitrary<Uint8Array>) =>
  fc
    .tuple(fc.constantFrom(...samples), fc.array(mutationOf(bytes), { minLength: 1, maxLength: 4 }))
    .map(([sample, mutations]) => mutations.reduce((message, mutate) => mutate(message), sample));

/** Any bytes but those that frame a block. */
const inside = fc
  .uint8Array({ maxLength: 24 })
  .map((bytes) => bytes.map((byte) => (byte === 0x0b || byte === 0x1c ? 0x20 : byte)));

describe("any message, spoilt in any way, over a real connection", () => {
  const home = mkdtempSync(join(tmpdir(), "tributary-any-"));
  let intake: RecordingIntake;
  let receiver: Receiver;
  let sentinel = 0;

  beforeAll(async () => {
    intake = recordingIntake();
    receiver = await connector.receive({
      intake,
      settings: readSettings({ TRIBUTARY_HOME: home }),
      profiles: new Map([["generic", profileSchema.parse({})]]),
      logger: pino({ level: "silent" }),
    });
  });
  afterAll(async () => {
    await receiver.close();
    rmSync(home, { recursive: true, force: true });
  });

  function dial(): Promise<Socket> {
    const { hostname, port } = new URL(receiver.addresses[0]?.url ?? "");
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) }, () => resolve(socket));
      socket.once("error", reject);
    });
  }

  /** Sends bytes and a good message after them; gives the answers before that message's own. */
  function exchange(socket: Socket, bytes: Buffer): Promise<string[]> {
    const id = `SENTINEL${++sentinel}`;
    const framer = new MllpFramer(10_000_000);
    const answers: string[] = [];
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the message after ${bytes.toString("base64")} got no answer`)),
        5_000,
      );
      const end = () => reject(new Error(`closed after ${bytes.toString("base64")}`));
      const onData = (chunk: Buffer) => {
        for (const piece of framer.push(chunk)) {
          const text = piece.bytes.toString("latin1");
          if (!text.includes(`|${id}\r`)) {
            answers.push(text);
            continue;
          }
          clearTimeout(late);
          socket.off("data", onData).off("close", end);
          if (text.includes(`MSA|AA|${id}`)) resolve(answers);
          else reject(new Error(`the message after ${bytes.toString("base64")} was not accepted`));
          return;
        }
      };
      socket.on("data", onData).once("close", end);
      socket.write(Buffer.concat([bytes, frame(Buffer.from(messageOf({ controlId: id })))]));
    });
  }

  it("is answered once, journalled with every byte, and never costs the next message its answer", async () => {
    const socket = await dial();
    await fc.assert(
      fc.asyncProperty(anyMessage(inside), async (message) => {
        // An acknowledgment is never acknowledged.
        fc.pre(!/^MSH.(?:[^\r]*.)?ACK/.test(message.toString("latin1")));
        intake.units.splice(0);
        const answers = await exchange(socket, frame(message));
        expect(answers).toHaveLength(1);
        expect(answers[0]).toMatch(/\rMSA.A[AER]/);
        const kept = intake.units.slice(0, -1).map(({ bytes }) => bytes);
        expect(Buffer.concat(kept).equals(message)).toBe(true);
        for (const unit of intake.units) if (!unit.verdict.accepted) expect(unit.events).toEqual([]);
      }),
      { numRuns: 400 },
    );
    socket.destroy();
  }, 30_000);

  it("never costs the next message its answer, also where it breaks its own frame", async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage(fc.uint8Array({ maxLength: 12 })), fc.boolean(), async (message, framed) => {
        const socket = await dial();
        await exchange(socket, framed ? frame(message) : message);
        socket.destroy();
      }),
      { numRuns: 150 },
    );
  }, 30_000);
});
