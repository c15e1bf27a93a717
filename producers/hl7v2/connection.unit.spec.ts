import { type Duplex, duplexPair } from "node:stream";
import pino from "pino";
import { describe, expect, it } from "vitest";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type RecordingIntake, recordingIntake } from "../../engine/testing/recording-intake.js";
import { Allowance } from "./allowance.js";
import { type Connection, type ConnectionOptions, serve } from "./connection.js";
import { frame, MllpFramer } from "./mllp.js";
import { profileSchema } from "./profile.js";
import { readAcknowledgment } from "./receipt.js";
import { suspendedOf } from "./suspended.js";
import { messageOf } from "./testing/messages.js";

interface Bench {
  readonly partner: Duplex;
  readonly intake: RecordingIntake;
  readonly connection: Connection;
  /** Resolves with the next answer's content. */
  readonly answer: () => Promise<Buffer>;
  readonly ended: Promise<void>;
}

function bench(given: Partial<ConnectionOptions> = {}): Bench {
  const [partner, ours] = duplexPair();
  const intake = recordingIntake();
  const connection = serve(ours, {
    intake,
    profiles: new Map([["generic", profileSchema.parse({})]]),
    logger: pino({ level: "silent" }),
    blockLimit: 100_000,
    blockTime: 60_000,
    allowance: new Allowance(1_000_000_000),
    now: () => 1_700_000_000_000,
    ...given,
  });
  const framer = new MllpFramer(1_000_000);
  const answers: Buffer[] = [];
  const waiting: ((answer: Buffer) => void)[] = [];
  partner.on("data", (chunk: Buffer) => {
    for (const { bytes } of framer.push(chunk)) {
      const wake = waiting.shift();
      if (wake) wake(bytes);
      else answers.push(bytes);
    }
  });
  const ended = new Promise<void>((resolve) => partner.on("end", resolve));
  const answer = () =>
    new Promise<Buffer>((resolve) => {
      const ready = answers.shift();
      if (ready) resolve(ready);
      else waiting.push(resolve);
    });
  return { partner, intake, connection, answer, ended };
}

const block = (controlId: string) => frame(Buffer.from(messageOf({ controlId })));
const codeOf = (answer: Buffer) => readAcknowledgment(answer, Buffer.alloc(0)).answer;
const answeredId = (answer: Buffer) => /MSA\|\w\w\|([^|\r]*)/.exec(answer.toString())?.[1];

/** A gate for submissions: each waits until it is opened for its control id. */
function gated(intake: RecordingIntake) {
  const started: string[] = [];
  const open = new Map<string, () => void>();
  intake.beforeSubmit = (units: readonly ReceivedUnit[]) => {
    const id = units[0]?.controlId?.value ?? "";
    started.push(id);
    return new Promise<void>((resolve) => open.set(id, resolve));
  };
  return { started, open: (id: string) => open.get(id)?.() };
}

describe("a connection", () => {
  it("tells a sender whose profile can't be used to send again, journals nothing of it, and takes the others'", async () => {
    const suspended = suspendedOf(new Map([["lake", { match: [{ application: "NADT", facility: "LAKE" }], no: 1 }]]));
    const { partner, intake, answer } = bench({ suspended });
    partner.write(frame(Buffer.from(messageOf({ controlId: "1", facility: "LAKE" }))));
    expect((await answer()).toString()).toMatch(/MSA\|AR\|1\r[\s\S]*207[\s\S]*PROFILE_UNUSABLE/);
    partner.write(block("2"));
    expect(codeOf(await answer())).toBe("AA");
    expect(intake.units.map(({ controlId }) => controlId?.value)).toEqual(["2"]);
  });

  it("submits in the order of the stream, without waiting, and answers in that order", async () => {
    const { partner, intake, answer } = bench();
    const gate = gated(intake);
    partner.write(Buffer.concat([block("1"), block("2"), block("3")]));
    await expect.poll(() => gate.started).toEqual(["1", "2", "3"]);
    gate.open("3");
    gate.open("2");
    await expect.poll(() => intake.units.length).toBe(2);
    gate.open("1");
    expect([await answer(), await answer(), await answer()].map(answeredId)).toEqual(["1", "2", "3"]);
  });

  it("answers nothing before the journal has the message", async () => {
    const { partner, intake, answer } = bench();
    const gate = gated(intake);
    partner.write(block("1"));
    await expect.poll(() => gate.started.length).toBe(1);
    const first = answer();
    const early = await Promise.race([first, new Promise((resolve) => setImmediate(resolve))]);
    expect(early).toBeUndefined();
    gate.open("1");
    expect(codeOf(await first)).toBe("AA");
  });

  it("answers 207, to be sent again, when nothing is durable", async () => {
    const { partner, intake, answer } = bench();
    intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_SERVICE_UNEXPECTED"));
    partner.write(block("1"));
    const text = (await answer()).toString();
    expect(text).toContain("MSA|AR|1");
    expect(text).toContain("|207^Application internal error^HL70357|");
    expect(intake.units).toEqual([]);
    intake.beforeSubmit = async () => {};
    partner.write(block("1"));
    expect(codeOf(await answer())).toBe("AA");
  });

  it("gives the journal's own refusal as a final error", async () => {
    const { partner, intake, answer } = bench();
    intake.submit = async (units) =>
      units.map(() => ({ verdict: { accepted: false, code: "UNIT_TOO_LARGE" }, receiptId: "r" }));
    partner.write(block("1"));
    const receipt = readAcknowledgment(await answer(), Buffer.alloc(0));
    expect(receipt).toMatchObject({ answer: "AE", accepted: false });
  });

  it("holds a sender back that has too much under way", async () => {
    const { partner, intake, answer } = bench();
    const gate = gated(intake);
    const send = (async () => {
      for (let at = 0; at < 300; at++) {
        if (!partner.write(block(String(at)))) await new Promise((resolve) => partner.once("drain", resolve));
      }
    })();
    await expect.poll(() => gate.started.length).toBeGreaterThanOrEqual(64);
    await new Promise((resolve) => setImmediate(resolve));
    expect(gate.started.length).toBeLessThan(300);
    let answered = 0;
    while (answered < 300) {
      for (const id of gate.started.splice(0)) gate.open(id);
      expect(answeredId(await answer())).toBe(String(answered++));
    }
    await send;
  });

  it("is not read while all connections together have too much under way, and goes on as the log takes it", async () => {
    const allowance = new Allowance(2_000);
    const [one, other] = [bench({ allowance }), bench({ allowance })];
    const gates = [gated(one.intake), gated(other.intake)] as const;
    for (let at = 0; at < 20; at++) {
      one.partner.write(block(`a${at}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    other.partner.write(block("b0"));
    await new Promise((resolve) => setImmediate(resolve));
    const under = gates[0].started.length + gates[1].started.length;
    expect(under).toBeGreaterThan(0);
    expect(under).toBeLessThan(21);
    let answered = 0;
    const count = async (from: Bench) => {
      await from.answer();
      answered++;
    };
    for (let at = 0; at < 20; at++) void count(one);
    void count(other);
    await expect
      .poll(() => {
        for (const gate of gates) for (const id of gate.started.splice(0)) gate.open(id);
        return answered;
      })
      .toBe(21);
  });

  it("is closed when the blocks still coming fill all the room, or one takes too long", async () => {
    const allowance = new Allowance(5_000);
    const full = bench({ allowance });
    full.partner.write(`\x0bMSH|${"x".repeat(6_000)}`);
    await full.ended;
    expect(full.intake.units).toMatchObject([{ flags: ["MLLP_FRAME_NOT_CLOSED"] }]);
    await expect.poll(() => allowance.isSpent).toBe(false);
    const slow = bench({ blockTime: 20 });
    slow.partner.write(block("1"));
    expect(codeOf(await slow.answer())).toBe("AA");
    slow.partner.write("\x0bMSH|");
    await slow.ended;
  });

  it("records noise and blocks cut off, without an answer, and goes on", async () => {
    const { partner, intake, answer } = bench();
    partner.write(Buffer.concat([Buffer.from("GET / HTTP/1.1\r\n"), Buffer.from("\x0bMSH|half"), block("1")]));
    expect(answeredId(await answer())).toBe("1");
    expect(intake.units.map(({ entry, flags, bytes }) => [entry, flags?.[0], Buffer.from(bytes).toString()])).toEqual([
      ["ENVELOPE", "MLLP_NOISE", "GET / HTTP/1.1\r\n"],
      ["ENVELOPE", "MLLP_FRAME_NOT_CLOSED", "MSH|half"],
      ["UNIT", undefined, expect.stringContaining("MSH|")],
    ]);
  });

  it("closes on a sender of nothing but noise", async () => {
    const { partner, intake, ended } = bench();
    for (let at = 0; at < 8; at++) partner.write(Buffer.from(`noise ${at}\x0b\x1c\r`));
    await ended;
    expect(intake.units.filter(({ format }) => format === "MLLP").length).toBe(8);
  });

  it("rejects an empty block, and one over the limit by the control id of its head", async () => {
    const { partner, intake, answer } = bench();
    partner.write(frame(Buffer.alloc(0)));
    expect(codeOf(await answer())).toBe("AR");
    partner.write(frame(Buffer.from(messageOf({ controlId: "BIG", more: [`OBX|1|TX|||${"x".repeat(100_000)}`] }))));
    const text = (await answer()).toString();
    expect(text).toContain("MSA|AR|BIG");
    expect(text).toContain("|TOO_LARGE");
    expect(intake.units.at(-1)).toMatchObject({ verdict: { accepted: false, code: "102" }, events: [] });
    partner.write(block("2"));
    expect(codeOf(await answer())).toBe("AA");
  });

  it("answers a batch message by message, in one block", async () => {
    const { partner, intake, answer } = bench();
    const batch = `FHS|^~\\&|A\rBHS|^~\\&|A\r${messageOf({ controlId: "1" })}MSH|broken\r${messageOf({ controlId: "3" })}BTS|5\rFTS|1\r`;
    partner.write(frame(Buffer.from(batch)));
    const text = (await answer()).toString();
    expect([...text.matchAll(/MSA\|(\w\w)/g)].map(([, code]) => code)).toEqual(["AA", "AR", "AA"]);
    expect(intake.units.map(({ entry }) => entry)).toEqual([
      ...["ENVELOPE", "ENVELOPE", "UNIT", "UNIT", "UNIT", "ENVELOPE", "ENVELOPE"],
      "CLOSING",
    ]);
    expect(Buffer.concat(intake.units.map(({ bytes }) => bytes)).toString()).toBe(batch);
    expect(intake.units.at(-1)).toMatchObject({ flags: ["BATCH_COUNT_MISMATCH"], closing: { entries: 7, units: 3 } });
  });

  it("when it is closed takes no more, answers what is in hand, and ends", async () => {
    const { partner, intake, connection, answer, ended } = bench();
    const gate = gated(intake);
    partner.write(block("1"));
    await expect.poll(() => gate.started.length).toBe(1);
    const closed = connection.close();
    partner.write(block("2"));
    gate.open("1");
    expect(answeredId(await answer())).toBe("1");
    await ended;
    partner.end();
    await closed;
    expect(gate.started).toEqual(["1"]);
  });

  it("is closed when idle, but not while an answer is owed", async () => {
    const { partner, intake, connection, answer, ended } = bench();
    const gate = gated(intake);
    partner.write(block("1"));
    await expect.poll(() => gate.started.length).toBe(1);
    connection.idle();
    gate.open("1");
    expect(codeOf(await answer())).toBe("AA");
    connection.idle();
    await ended;
  });

  it("gives the same answer to the same bytes", async () => {
    const { partner, answer } = bench();
    partner.write(Buffer.concat([block("1"), block("1"), block("2")]));
    const [first, again, other] = [await answer(), await answer(), await answer()];
    expect(again.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
  });
});
