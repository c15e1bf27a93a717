import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";
import { isSegment, type Token, Tokenizer } from "./tokenizer.js";

const plain = interchange([claims837(...heading837, ...subscriber, ...claim)]);

function read(
  bytes: Buffer,
  cuts: readonly number[] = [],
  longest?: number,
): { tokens: Token[]; tokenizer: Tokenizer } {
  const tokenizer = new Tokenizer(longest);
  const tokens: Token[] = [];
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let index = 1; index < edges.length; index += 1) {
    // A copy, so that nothing is read beyond the chunk by accident.
    tokens.push(...tokenizer.push(Buffer.from(bytes.subarray(edges[index - 1], edges[index]))));
  }
  tokens.push(...tokenizer.end());
  return { tokens, tokenizer };
}

const seen = (tokens: readonly Token[]) =>
  tokens
    .filter(isSegment)
    .map(({ kind, text, offset, lead, bytes }) => ({ kind, text, offset, lead, bytes: bytes.toString("latin1") }));

const withDelimiters = (element: string, component: string, terminator: string): Buffer =>
  Buffer.from(
    plain.toString("latin1").replaceAll("*", element).replaceAll(":", component).replaceAll("~", terminator),
    "latin1",
  );

describe("the tokenizer", () => {
  it("gives segments with elements and byte offsets", () => {
    const { tokens } = read(plain);
    const clm = seen(tokens).find(({ text }) => text.startsWith("CLM"))!;
    expect(plain.toString("latin1", clm.offset, clm.offset + 3)).toBe("CLM");
    expect(tokens.filter(isSegment).find((one) => one.id === "CLM")!.elements[5]).toBe("11:B:1");
  });

  it("gives the same segments, and all bytes in order, however the stream is cut", () => {
    const second = withDelimiters("|", "!", "\n");
    const streams = [plain, Buffer.concat([plain, Buffer.from("\r\n"), second]), Buffer.from(`\ufeff${plain}`, "utf8")];
    for (const stream of streams) {
      const whole = seen(read(stream).tokens);
      expect(whole.length).toBeGreaterThan(20);
      fc.assert(
        fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
          const { tokens } = read(stream, cuts);
          expect(seen(tokens)).toEqual(whole);
          expect(Buffer.concat(tokens.map((token) => token.bytes)).equals(stream)).toBe(true);
        }),
        { numRuns: 60 },
      );
    }
  });

  it("gives the same segments a byte at a time", () => {
    const cuts = Array.from({ length: plain.length - 1 }, (_, index) => index + 1);
    expect(seen(read(plain, cuts).tokens)).toEqual(seen(read(plain).tokens));
  });

  it.each([
    ["control characters", "\x1d", "\x1f", "\x1e"],
    ["a line feed as terminator", "*", ":", "\n"],
    ["a carriage return as terminator", "*", ":", "\r"],
    ["pipe and exclamation mark", "|", "!", "~"],
  ])("takes %s", (_name, element, component, terminator) => {
    const { tokens } = read(withDelimiters(element, component, terminator));
    expect(tokens.filter(isSegment).map((one) => one.id)).toEqual(
      read(plain)
        .tokens.filter(isSegment)
        .map((one) => one.id),
    );
  });

  it("takes a new ISA with other delimiters, also where the interchange before it has no IEA", () => {
    const cut = plain.subarray(0, plain.lastIndexOf("IEA"));
    const { tokens, tokenizer } = read(Buffer.concat([cut, withDelimiters("|", "!", "'")]));
    const isas = tokens.filter(isSegment).filter((one) => one.id === "ISA");
    expect(isas.map((one) => String.fromCharCode(one.delimiters.element))).toEqual(["*", "|"]);
    expect(tokenizer.problem).toBeNull();
  });

  it("knows no repetition separator before version 00402", () => {
    const old = read(interchange([], { version: "00401" })).tokens.filter(isSegment)[0]!;
    expect(old.delimiters.repetition).toBeNull();
    expect(read(plain).tokens.filter(isSegment)[0]!.delimiters.repetition).toBe("^".charCodeAt(0));
  });

  it("says what is no interchange, and where", () => {
    expect(read(Buffer.from("hello")).tokenizer.problem).toEqual({ code: "NOT_AN_INTERCHANGE", offset: 0 });
    const short = Buffer.from(plain.toString("latin1").replace("00*          ", "00*         "), "latin1");
    expect(read(short).tokenizer.problem).toEqual({ code: "ISA_MALFORMED", offset: 0 });
    const garbage = read(Buffer.concat([plain, Buffer.from("garbage")]));
    expect(garbage.tokenizer.problem).toEqual({ code: "NOT_AN_INTERCHANGE", offset: plain.length });
  });

  it("takes what fills up a block or ends a file for no noise", () => {
    for (const filler of ["\u001a", "\0".repeat(200), "\r\n \t\r\n"]) {
      const { tokens, tokenizer } = read(Buffer.concat([plain, Buffer.from(filler)]), [plain.length + 1]);
      expect(tokenizer.problem).toBeNull();
      expect(tokens.at(-1)?.kind).toBe("blank");
    }
  });

  it("keeps no segment longer than allowed", () => {
    const endless = Buffer.concat([plain.subarray(0, 106), Buffer.alloc(5000, "A")]);
    const { tokens, tokenizer } = read(endless, [500, 1000, 3000], 1024);
    expect(tokenizer.problem).toEqual({ code: "SEGMENT_TOO_LONG", offset: 106 });
    expect(Buffer.concat(tokens.map((token) => token.bytes)).equals(endless)).toBe(true);
  });

  it("finds the interchange after one that was cut off in a segment, after noise, and after a broken ISA", () => {
    const next = withDelimiters("|", "!", "'");
    const short = Buffer.from(plain.toString("latin1").replace("00*          ", "00*         "), "latin1");
    const cut = plain.subarray(0, plain.indexOf("LX*1") + 3);
    const name = Buffer.from(plain.toString("latin1").replace("LX*1", "LX*ISABELLA"), "latin1");
    for (const before of [
      cut,
      Buffer.concat([plain, Buffer.from("garbage ISA")]),
      short,
      plain.subarray(0, 60),
      name,
    ]) {
      const stream = Buffer.concat([before, next]);
      fc.assert(
        fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
          const { tokens } = read(stream, cuts);
          expect(Buffer.concat(tokens.map((token) => token.bytes)).equals(stream)).toBe(true);
          const found = tokens
            .filter(isSegment)
            .filter(({ id, delimiters }) => id === "IEA" && delimiters.element === 124);
          expect(found).toHaveLength(1);
        }),
        { numRuns: 60 },
      );
    }
  });

  it("tells a segment that the end of the stream cut off", () => {
    const { tokens } = read(plain.subarray(0, plain.indexOf("LX*1") + 3));
    expect(tokens.at(-1)).toMatchObject({ kind: "truncated", id: "LX" });
  });
});
