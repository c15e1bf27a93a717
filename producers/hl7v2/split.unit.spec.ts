import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalisedContent, segmentMessage, sliceTransmission } from "./split.js";

const HEADER = "MSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.5";

describe("segments", () => {
  it.each([["\r"], ["\n"], ["\r\n"]])("end with %j, blank lines aside", (end) => {
    const { segments, flags } = segmentMessage([HEADER, "EVN|A01", "", "PID|1"].join(end) + end);
    expect(segments).toEqual([HEADER, "EVN|A01", "PID|1"]);
    expect(flags).toEqual([]);
  });

  it("are continued by lines that do not begin with a segment id", () => {
    const { segments, flags } = segmentMessage(`${HEADER}\rOBX|1|TX|||first\nsecond line\n\nfourth|10\rOBX|2`);
    expect(segments).toEqual([HEADER, "OBX|1|TX|||first\nsecond line\nfourth|10", "OBX|2"]);
    expect(flags).toEqual(["CONTINUATION_LINE"]);
  });

  it("are continued by a text's words of three letters, whatever they look like", () => {
    const text = ["first", "The patient is well|x", "PID: see above", "End", "Pt. stable", "BTS was told", "MSH too"];
    const raw = `${HEADER}\rOBX|1|TX|||${text.join("\n")}\rOBX|2\rPD1\rPV1 |1\r`;
    expect(segmentMessage(raw).segments).toEqual([
      HEADER,
      `OBX|1|TX|||${text.join("\n")}`,
      "OBX|2",
      "PD1",
      // What stands before the separator is no text: its wrong name is told.
      "PV1 |1",
    ]);
    expect(sliceTransmission(raw)).toHaveLength(1);
    // A separator that is prose elsewhere is one here, and one of another header's is no text.
    const dashed = `${HEADER.replaceAll("|", "-")}\rPID-1\rPV1*1\r`;
    expect(segmentMessage(dashed).segments.slice(1)).toEqual(["PID-1", "PV1*1"]);
    expect(sliceTransmission(`BHS-^~\\&\r${dashed}${dashed}BTS-2\r`)).toHaveLength(4);
  });

  it("of a wrong name after a full header are not taken for a part of the header", () => {
    expect(segmentMessage(`${HEADER}\rPIDX|1||2\rPV1|1`).segments).toEqual([HEADER, "PIDX|1||2", "PV1|1"]);
  });

  it("are the same content whatever the terminators, the mark and the batch around", () => {
    const content = normalisedContent(segmentMessage(`${HEADER}\rPID|1\r`));
    for (const other of [
      `${HEADER}\nPID|1`,
      `\u00ef\u00bb\u00bf${HEADER}\r\n\r\nPID|1\r\n\r\n`,
      `\n${HEADER}\rPID|1\rBTS|1\r`,
    ]) {
      expect(normalisedContent(segmentMessage(other)).equals(content)).toBe(true);
    }
    expect(normalisedContent(segmentMessage(`${HEADER}\rPID|2\r`)).equals(content)).toBe(false);
  });
});

describe("a transmission", () => {
  it("is cut at MSH and at batch envelopes", () => {
    const raw = `FHS|^~\\&|A\rBHS|^~\\&\r${HEADER}\rPID|1\r${HEADER}\rBTS|2\rFTS|1\r`;
    expect(sliceTransmission(raw).map(({ kind }) => kind)).toEqual([
      "envelope",
      "envelope",
      "message",
      "message",
      "envelope",
      "envelope",
    ]);
  });

  it("takes blank lines and a byte order mark before MSH for a part of the message", () => {
    expect(sliceTransmission(`\r\n\u00ef\u00bb\u00bf${HEADER}\r`)).toEqual([
      { kind: "message", start: 0, end: HEADER.length + 6 },
    ]);
  });

  it("never loses a byte", () => {
    const line = fc.constantFrom(HEADER, "PID|1", "BHS|x", "BTS|1", "loose", "", " ", "FTS");
    const end = fc.constantFrom("\r", "\n", "\r\n");
    fc.assert(
      fc.property(fc.array(fc.tuple(line, end), { maxLength: 12 }), fc.boolean(), (lines, bare) => {
        const raw = lines.map(([text, mark]) => text + mark).join("") + (bare ? "last" : "");
        const slices = sliceTransmission(raw);
        expect(slices.map(({ start, end: stop }) => raw.slice(start, stop)).join("")).toBe(raw);
      }),
    );
  });
});
