import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TributaryError } from "../service/errors.js";
import type { AvroRecord } from "./avro.js";
import { type Codec, createCodec, type OutgoingEvent, schemaIdOf, standaloneCodec } from "./codec.js";
import { rootRecords } from "./schemas.js";

const codec = standaloneCodec();
const meta = { id: "e-1", source: "north", time: 1_767_225_600_000, subject: "c-1", connector: "x12" };

function submission(change: Partial<OutgoingEvent<"ClaimSubmitted">> = {}): OutgoingEvent<"ClaimSubmitted"> {
  return {
    meta,
    payerId: "payer",
    frequencyCode: "1",
    billedAmount: 12_345,
    contentHash: "h",
    lines: [{ lineNumber: 1, chargeAmount: -5, serviceDate: "2024-02-29" }],
    ...change,
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TributaryError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

describe("codec", () => {
  it("gives back an event with its defaults filled in", () => {
    const { type, event } = codec.decodeEvent(codec.encodeEvent("ClaimSubmitted", submission()));
    expect(type).toBe("ClaimSubmitted");
    expect(event).toEqual({
      meta: {
        ...meta,
        timePrecision: "UNKNOWN",
        causationId: null,
        correlationId: null,
        traceparent: null,
        generation: 0,
        origin: null,
      },
      patientId: null,
      visitId: null,
      payerId: "payer",
      providerNpi: null,
      kind: "UNKNOWN",
      frequencyCode: "1",
      billedAmount: 12_345,
      currency: null,
      facilityCode: null,
      diagnoses: [],
      lines: [
        {
          lineNumber: 1,
          procedureQualifier: null,
          procedureCode: null,
          modifiers: [],
          revenueCode: null,
          chargeAmount: -5,
          units: null,
          serviceDate: "2024-02-29",
          serviceDateEnd: null,
        },
      ],
      payerControlNumberHash: null,
      contentHash: "h",
      flags: [],
      sealed: null,
      transmission: null,
    });
  });

  it("gives back every amount that fits decimal(14, 2)", () => {
    const bound = 10 ** 14 - 1;
    const amounts = fc.oneof(
      fc.integer({ min: -bound, max: bound }),
      fc.constantFrom(0, -1, 127, 128, -128, -129, 255, 256, 32_767, 32_768, -32_768, -32_769, bound, -bound),
    );
    fc.assert(
      fc.property(amounts, (billedAmount) => {
        const { event } = codec.decodeEvent(codec.encodeEvent("ClaimSubmitted", submission({ billedAmount })));
        expect(event).toMatchObject({ billedAmount });
      }),
    );
  });

  it("writes an amount in the bytes that the Avro specification asks for", () => {
    // -1 is the single byte ff, 128 needs a leading zero byte.
    const bytes = (billedAmount: number): string =>
      codec.encodeEvent("ClaimSubmitted", submission({ billedAmount, payerId: "§" })).toString("hex");
    expect(bytes(-1)).toContain(`${Buffer.from("1").toString("hex")}02ff`);
    expect(bytes(128)).toContain(`${Buffer.from("1").toString("hex")}040080`);
  });

  it("gives back every day of the calendar", () => {
    const days = fc.integer({ min: -719_528, max: 2_932_896 });
    fc.assert(
      fc.property(days, (day) => {
        const serviceDate = new Date(day * 86_400_000).toISOString().slice(0, 10);
        const lines = [{ lineNumber: 1, chargeAmount: 0, serviceDate }];
        const { event } = codec.decodeEvent(codec.encodeEvent("ClaimSubmitted", submission({ lines })));
        expect(event).toMatchObject({ lines: [{ serviceDate }] });
      }),
    );
  });

  it("encodes records larger than its scratch space", () => {
    const entry = journalEntry(Buffer.alloc(3_000_000, 7));
    const read = codec.decodeEntry(codec.encodeEntry(entry));
    expect(read.sealedUnit.equals(entry.sealedUnit)).toBe(true);
    expect(read.entry).toBe("UNIT");
  });

  it("names the path of a wrong field and not its value", () => {
    const wrong = [
      { lines: [{ lineNumber: 1, chargeAmount: 0.5 }] },
      { lines: [{ lineNumber: 1, chargeAmount: 10 ** 14 }] },
      { lines: [{ lineNumber: 1, chargeAmount: Number.NaN }] },
    ];
    for (const change of wrong) {
      const thrown = thrownBy(() => codec.encodeEvent("ClaimSubmitted", submission(change)));
      expect(thrown.code).toBe("TRIB_LOG_FIELD_INVALID");
      expect(thrown.facts).toEqual({ record: "health.claim.ClaimSubmitted", field: "lines.0.chargeAmount" });
    }
    const secret = { lineNumber: 1, chargeAmount: 0, serviceDate: "Jane Doe" };
    const thrown = thrownBy(() => codec.encodeEvent("ClaimSubmitted", submission({ lines: [secret] })));
    expect(thrown.facts.field).toBe("lines.0.serviceDate");
    expect(`${thrown.stack}${String(thrown.cause)}`).not.toContain("Jane");
    expect(codeOf(() => codec.encodeEvent("ClaimSubmitted", {} as never))).toBe("TRIB_LOG_FIELD_INVALID");
  });

  it.each(["2025-02-29", "2025-13-01", "2025-1-1", "20250101", ""])("refuses the day %j", (serviceDate) => {
    const lines = [{ lineNumber: 1, chargeAmount: 0, serviceDate }];
    expect(codeOf(() => codec.encodeEvent("ClaimSubmitted", submission({ lines })))).toBe("TRIB_LOG_FIELD_INVALID");
  });

  it("seals and opens the details of an event type", () => {
    const bytes = codec.encodeSealed("ClaimSubmitted", { memberId: "M1" });
    expect(codec.decodeSealed("ClaimSubmitted", bytes)).toEqual({
      patientControlNumber: null,
      payerControlNumber: null,
      memberId: "M1",
      patientName: null,
      subscriberName: null,
      birthDate: null,
    });
    expect(codeOf(() => codec.decodeSealed("PatientRegistered", bytes))).toBe("TRIB_LOG_UNDECODABLE");
    expect(codeOf(() => codec.encodeSealed("RemittanceReceived", {}))).toBe("TRIB_LOG_FIELD_INVALID");
  });
});

describe("codec before hostile bytes", () => {
  const good = codec.encodeEvent("ClaimSubmitted", submission());

  it("refuses what has no header, is cut off anywhere, or goes on", () => {
    expect(codeOf(() => codec.decode(Buffer.alloc(0)))).toBe("TRIB_LOG_UNDECODABLE");
    expect(codeOf(() => codec.decode(Buffer.from([1, 0, 0, 0, 1, 0])))).toBe("TRIB_LOG_UNDECODABLE");
    for (let length = 0; length < good.length; length++) {
      expect(codeOf(() => codec.decode(good.subarray(0, length)))).toBe("TRIB_LOG_UNDECODABLE");
    }
    expect(codeOf(() => codec.decode(Buffer.concat([good, Buffer.from([0])])))).toBe("TRIB_LOG_UNDECODABLE");
    expect(codeOf(() => codec.decodeEvent(codec.encodeEntry(journalEntry(Buffer.alloc(1)))))).toBe(
      "TRIB_LOG_UNDECODABLE",
    );
  });

  it("never hangs, never allocates beyond the bytes, whatever they are", () => {
    const ids = [...rootRecords()].map((_, index) => index + 1);
    fc.assert(
      fc.property(fc.constantFrom(...ids), fc.uint8Array({ maxLength: 200 }), (id, body) => {
        const header = Buffer.alloc(5);
        header.writeUInt32BE(id, 1);
        const code = codeOf(() => codec.decode(Buffer.concat([header, body])));
        expect(["TRIB_LOG_UNDECODABLE", "nothing thrown"]).toContain(code);
      }),
      { numRuns: 3000 },
    );
  });

  it("refuses an array that claims more items than there are bytes", () => {
    const bytes = codec.encodeSealed("PatientsMerged", { values: ["a"] });
    const count = bytes.length - 4; // [count 1][length 1]["a"][0]
    expect(bytes[count]).toBe(2);
    const huge = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    const negative = Buffer.from([0xfd, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x02]);
    for (const claim of [huge, negative]) {
      const forged = Buffer.concat([bytes.subarray(0, count), claim, bytes.subarray(count + 1)]);
      const before = performance.now();
      expect(codeOf(() => codec.decode(forged))).toBe("TRIB_LOG_UNDECODABLE");
      expect(performance.now() - before).toBeLessThan(100);
    }
  });
});

describe("codec between versions", () => {
  const older = olderClaimSubmitted();
  const roots = [...rootRecords().values()];
  const current = new Map(roots.map((root, index) => [root.fullName, index + 100]));
  const writers = roots.map((root) => ({ id: current.get(root.fullName) as number, schema: root.schema }));
  const oldWriter = createCodec({ current, writers, fetch: async () => older });

  it("reads an event where it lies as if it were cut out, and nothing that ends elsewhere", () => {
    const event = submission();
    const value = codec.encodeEvent("ClaimSubmitted", event);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 400 }),
        fc.nat({ max: value.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.integer({ min: -value.length, max: 3 }),
        fc.boolean(),
        (before, after, at, flip, more, isChanged) => {
          const copy = Buffer.from(value);
          if (isChanged) copy[at] = (copy[at] as number) ^ flip;
          const bytes = Buffer.concat([before, copy, after]);
          const start = before.length;
          const end = Math.min(bytes.length, start + value.length + more);
          const outcome = (read: () => unknown) => {
            try {
              return read();
            } catch {
              return "no event";
            }
          };
          const cut = outcome(() => codec.decodeEvent(bytes.subarray(start, end)));
          const within = outcome(() => {
            const reader = codec.eventReader(bytes, start);
            return reader ? { type: reader.type, event: reader.read(bytes, start, end) } : "no event";
          });
          expect(within).toEqual(cut);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("reads what an older version wrote once it has learned its schema", async () => {
    const bytes = writtenByOlder();
    expect(codeOf(() => oldWriter.decode(bytes))).toBe("TRIB_LOG_UNKNOWN_SCHEMA");
    await oldWriter.learn(schemaIdOf(bytes));
    const { event } = oldWriter.decodeEvent(bytes);
    expect(event).toMatchObject({ payerId: "payer", billedAmount: 12_345, lines: [{ chargeAmount: -5 }], flags: [] });
    expect(event).not.toHaveProperty("gone");
  });

  it("can't learn a record that this version doesn't know", async () => {
    const stranger: Codec = createCodec({
      current,
      writers,
      fetch: async () => ({ type: "record", name: "Unheard", namespace: "health.claim", fields: [] }),
    });
    await expect(stranger.learn(9)).rejects.toMatchObject({ code: "TRIB_LOG_UNKNOWN_SCHEMA" });
  });

  it("doesn't start without the id of a current schema", () => {
    const partial = new Map(current);
    partial.delete("health.claim.ClaimSubmitted");
    expect(codeOf(() => createCodec({ current: partial, writers, fetch: async () => older }))).toBe(
      "TRIB_LOG_SCHEMA_NOT_REGISTERED",
    );
  });

  /** ClaimSubmitted as an older version had it: without `flags`, with an array that is gone since. */
  function olderClaimSubmitted(): AvroRecord {
    const { schema } = rootRecords().get("health.claim.ClaimSubmitted") as { schema: AvroRecord };
    const fields = schema.fields.filter((field) => field.name !== "flags");
    return { ...schema, fields: [{ name: "gone", type: { type: "array", items: "string" }, default: [] }, ...fields] };
  }

  function writtenByOlder(): Buffer {
    const body = codec.encodeEvent("ClaimSubmitted", submission()).subarray(5);
    // `flags` is one zero byte before `sealed`, which is one zero byte too.
    const gone = Buffer.from([2, 2, 0x78, 0]);
    const header = Buffer.from([0, 0, 0, 0, 7]);
    return Buffer.concat([header, gone, body.subarray(0, -1)]);
  }
});

function thrownBy(work: () => unknown): TributaryError {
  try {
    work();
  } catch (error) {
    if (error instanceof TributaryError) return error;
  }
  throw new Error("nothing coded was thrown");
}

function journalEntry(sealedUnit: Buffer) {
  return {
    entry: "UNIT",
    receiptId: "r",
    receivedAt: 1,
    partner: "north",
    feed: "north/main",
    connector: "hl7v2",
    connectorVersion: "1",
    format: "ADT^A01",
    accepted: true,
    contentHash: Buffer.alloc(32),
    size: sealedUnit.length,
    sealedUnit,
  } as const;
}
