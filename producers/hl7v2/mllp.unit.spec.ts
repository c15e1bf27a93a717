import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frame, KEPT_BYTES, MllpFramer, type MllpPiece } from "./mllp.js";

function pieces(bytes: Buffer, cuts: readonly number[] = [], limit = 1_000_000): MllpPiece[] {
  const framer = new MllpFramer(limit);
  const found: MllpPiece[] = [];
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    found.push(...framer.push(bytes.subarray(from, cut)));
    from = cut;
  }
  return [...found, ...framer.end()];
}

const texts = (found: readonly MllpPiece[]) => found.map(({ kind, bytes }) => [kind, bytes.toString("latin1")]);

describe("MLLP framing", () => {
  it("finds several blocks in one chunk, with or without the CR after FS", () => {
    expect(texts(pieces(Buffer.from("\x0bone\x1c\r\x0btwo\x1c\x0bthree\x1c\n", "latin1")))).toEqual([
      ["block", "one"],
      ["block", "two"],
      ["block", "three"],
    ]);
  });

  it("tells a block as soon as its FS is there", () => {
    const framer = new MllpFramer(100);
    expect(framer.push(Buffer.from("\x0bone"))).toEqual([]);
    expect(framer.open).toBe(true);
    expect(texts(framer.push(Buffer.from("\x1c")))).toEqual([["block", "one"]]);
    expect(framer.open).toBe(false);
  });

  it("lets a VT inside a block start a new one, and records the one cut off", () => {
    expect(texts(pieces(Buffer.from("\x0bhalf\x0bwhole\x1c\r\x0brest")))).toEqual([
      ["unclosed", "half"],
      ["block", "whole"],
      ["unclosed", "rest"],
    ]);
  });

  it("records noise between blocks, but not line ends", () => {
    expect(texts(pieces(Buffer.from("\r\n\x0ba\x1c\rGET /\r\n\x0bb\x1c\r\n\r\n")))).toEqual([
      ["block", "a"],
      ["noise", "\rGET /\r\n"],
      ["block", "b"],
    ]);
  });

  it("gives an empty block as a block", () => {
    expect(texts(pieces(Buffer.from("\x0b\x1c\r")))).toEqual([["block", ""]]);
  });

  it("keeps only the head of a block over the limit, and goes on with the next", () => {
    const size = 3 * KEPT_BYTES;
    const stream = Buffer.concat([frame(Buffer.alloc(size, "x")), frame(Buffer.from("next"))]);
    const cuts = [10, KEPT_BYTES, KEPT_BYTES + 50, 2 * KEPT_BYTES];
    for (const limit of [100, KEPT_BYTES, 2 * KEPT_BYTES, size - 1]) {
      const [big, next] = pieces(stream, cuts, limit);
      expect(big).toMatchObject({ kind: "oversized", size });
      expect(big?.bytes.length).toBe(KEPT_BYTES);
      expect(next).toMatchObject({ kind: "block", bytes: Buffer.from("next") });
    }
    expect(pieces(stream, cuts, size)[0]).toMatchObject({ kind: "block" });
  });

  it("gives noise without end in pieces of bounded size", () => {
    const found = pieces(Buffer.alloc(5 * KEPT_BYTES + 7, "n"), [1, KEPT_BYTES + 3]);
    expect(found.map(({ bytes }) => bytes.length)).toEqual([...Array.from({ length: 5 }, () => KEPT_BYTES), 7]);
  });

  it("gives the same pieces however the stream is cut", () => {
    const byte = fc.constantFrom(0x0b, 0x1c, 0x0d, 0x0a, 0x41, 0x42, 0xff);
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 12 }), (bytes, cuts) => {
        const stream = Buffer.from(bytes);
        expect(texts(pieces(stream, cuts))).toEqual(texts(pieces(stream)));
      }),
      { numRuns: 2000 },
    );
  });

  it("gives back every message that was framed, however the stream is cut", () => {
    const content = fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0b && byte !== 0x1c)));
    fc.assert(
      fc.property(fc.array(content, { maxLength: 6 }), fc.array(fc.nat(300), { maxLength: 10 }), (contents, cuts) => {
        const found = pieces(Buffer.concat(contents.map(frame)), cuts);
        expect(found.map(({ bytes }) => bytes.toString("hex"))).toEqual(contents.map((one) => one.toString("hex")));
      }),
    );
  });
});
