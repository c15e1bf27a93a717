import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { senderOf } from "./partner.js";
import { type Profile, profileSchema } from "./profile.js";
import { suspendedOf } from "./suspended.js";
import { takenAs } from "./taken-as.js";
import { messageOf, type Sketch } from "./testing/messages.js";
import { type ReadingContext, readMessage } from "./unit.js";

const generic = profileSchema.parse({});
const contextOf = (profile: Profile = generic): ReadingContext => ({
  profiles: new Map([["generic", profile]]),
  surrogate: testSurrogate,
  receivedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
});
const read = (message: string | Buffer, profile?: Parameters<typeof profileSchema.parse>[0]) =>
  readMessage(
    typeof message === "string" ? Buffer.from(message) : message,
    contextOf(profileSchema.parse(profile ?? {})),
  );
const readSketch = (sketch: Sketch, profile = {}) => read(messageOf(sketch), profile);
const answerText = (message: ReturnType<typeof read>) => message.answer(message.unit.verdict).map(String).join("\n");

const NAME = (name: string, charset: string) => {
  const text = messageOf({ charset, pid: "1||N1^^^NORTH^MR||@^Jane" });
  const [before, after] = text.split("@") as [string, string];
  return (encoding: BufferEncoding) =>
    Buffer.concat([Buffer.from(before), Buffer.from(name, encoding), Buffer.from(after)]);
};
const familyName = ({ unit }: ReturnType<typeof read>) => {
  const [event] = unit.events;
  return event?.type === "PatientRegistered" ? event.sealed?.familyName : undefined;
};

describe("character sets", () => {
  it.each([
    ["UNICODE UTF-8", "utf8", []],
    ["8859/1", "latin1", []],
    ["8859/15", "latin1", []],
    ["", "utf8", []],
    ["", "latin1", ["UNDECLARED_8BIT"]],
    ["ASCII", "utf8", ["CHARSET_MISMATCH"]],
  ] as const)("%j with bytes of %s", (charset, encoding, flags) => {
    const message = read(NAME("Müller", charset)(encoding));
    expect(familyName(message)).toBe("Müller");
    expect(message.unit.flags).toEqual(expect.arrayContaining([...flags]));
  });

  it.each([
    ["8859/2", "a3", "Ł"],
    ["8859/3", "a1", "Ħ"],
    ["8859/4", "a2", "ĸ"],
    ["8859/5", "b6", "Ж"],
    ["8859/6", "c7", "ا"],
    ["8859/7", "c1", "Α"],
    ["8859/8", "e0", "א"],
    ["8859/9", "dd", "İ"],
    ["8859/15", "a4", "€"],
    ["GB 18030-2000", "c4e3", "你"],
    // As they are called elsewhere.
    ["ISO-8859-1", "fc", "ü"],
    ["iso8859-15", "a4", "€"],
    ["WINDOWS-1252", "80", "€"],
    // As many programs call windows-1252.
    ["8859/1", "92", "’"],
    // Its second byte is a backslash elsewhere.
    ["BIG-5", "a55c", "功"],
    ["KS X 1001", "b0a1", "가"],
    ["ISO IR87", "1b244230211b2842", "亜"],
  ])("%s are read, and those of one byte written again as they came", (charset, bytes, text) => {
    const sent = Buffer.from(messageOf({ charset, pid: "1||N1^^^NORTH^MR||@^Jane", controlId: "@" }), "latin1");
    const [before, id, after] = sent.toString("latin1").split("@") as [string, string, string];
    const character = Buffer.from(bytes, "hex").toString("latin1");
    const message = read(Buffer.from([before, id, after].join(character), "latin1"));
    expect(familyName(message)).toBe(text);
    const answer = message.answer({ accepted: true })[0]?.toString("latin1");
    expect(answer).toContain(`MSA|AA|${/8859|1252/.test(charset) ? character : text.replace(/./g, "?")}\r`);
  });

  it("of the profile stand in for one not declared", () => {
    expect(familyName(read(NAME("M\u00bcller", "")("latin1"), { charset: "8859/15" }))).toBe("MŒller");
    expect(read(NAME("Müller", "")("latin1"), { charset: "UNICODE UTF-8" }).unit.verdict).toMatchObject({
      location: "PID-5",
    });
  });

  it("never replace a byte: what is not of the declared one is an error at its field", () => {
    const { unit } = read(NAME("Müller", "UNICODE UTF-8")("latin1"));
    expect(unit.verdict).toEqual({ accepted: false, code: "102", location: "PID-5" });
    expect(unit.sealFor).toEqual([testSurrogate("patient", "NORTH", "MR", "N1")]);
  });

  it("that are unknown are a warning on plain ASCII, else an error", () => {
    expect(readSketch({ charset: "KLINGON" }).unit).toMatchObject({
      verdict: { accepted: true },
      flags: ["UNKNOWN_CHARSET"],
    });
    expect(read(NAME("Müller", "KLINGON")("utf8")).unit.verdict).toEqual({
      accepted: false,
      code: "103",
      location: "MSH-18",
    });
  });

  it("have no NUL", () => {
    expect(readSketch({ more: ["OBX|1|TX|||a\0b"] }).unit.verdict).toEqual({
      accepted: false,
      code: "102",
      location: "OBX-5",
    });
  });
});

describe("verdicts", () => {
  it.each([
    ["AR", "100", "MSH", "PID|1||N1\r"],
    ["AR", "102", "MSH-2", "MSH|^^^^|A|B|C|D|2024||ADT^A01|1|P|2.5\r"],
    ["AR", "101", "MSH-9", "MSH|^~\\&|A|B\r"],
    ["AR", "101", "MSH-9", messageOf({ type: "" })],
    ["AR", "101", "MSH-10", messageOf({ controlId: "" })],
    ["AR", "200", "MSH-9.1", messageOf({ type: "FOO^A01" })],
    ["AR", "201", "MSH-9.2", messageOf({ type: "ADT^A99" })],
    ["AR", "203", "MSH-12", messageOf({ version: "9.9" })],
    ["AE", "101", "MSH-12", messageOf({ version: "" })],
    ["AE", "100", "PID", messageOf({ pid: null })],
    ["AE", "101", "PID-3", messageOf({ pid: "1||||Doe^Jane" })],
    ["AE", "102", "EVN-2", messageOf({ evn: "20240230" })],
    ["AE", "102", "OBX[2]-14", messageOf({ more: ["OBX|1", "OBX|2|||||||||||||20241301"] })],
    ["AE", "100", "segment 5", messageOf({ more: ["pv2|1"] })],
    ["AE", "102", "OBX-5", messageOf({ more: [`OBX|1|TX|||${"x".repeat(70_000)}`] })],
    ["AE", "100", "PID", "MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5\rPID|1||259"],
  ])("%s %s at %s", (answer, code, location, text) => {
    const message = read(text);
    expect(message.unit.verdict).toEqual({ accepted: false, code, location });
    expect(message.unit.answer(message.unit.verdict)).toBe(answer);
    expect(message.unit).toMatchObject({ events: [] });
    expect(message.unit.identity).toBeUndefined();
    expect(answerText(message)).toContain(`\rMSA|${answer}|`);
    expect(answerText(message)).toContain(`|${code}^`);
  });

  it.each(["2.1", "2.2", "2.3", "2.3.1", "2.3.z", "2.5.1", "2.8.2", "2.9"])("version %s is accepted", (version) => {
    expect(readSketch({ version }).unit.verdict.accepted).toBe(true);
  });

  it("put a rejection before an error, wherever it stands", () => {
    expect(readSketch({ pid: null, controlId: "" }).unit).toMatchObject({
      verdict: { code: "101", location: "MSH-10" },
      flags: expect.arrayContaining(["NO_MSH10", "NO_PID"]),
    });
  });

  it("may be milder by the profile, with the reason as a flag and without the value", () => {
    const profile = { ackPolicy: { answers: { BAD_DATE: "AA" } } };
    const { unit } = readSketch({ pid: "1||N1^^^NORTH^MR||Doe||19890230" }, profile);
    expect(unit).toMatchObject({ verdict: { accepted: true }, flags: ["BAD_DATE"] });
    expect(unit.events[0]).toMatchObject({
      fields: { birthYear: null, flags: ["BAD_DATE"] },
      sealed: { birthDate: null },
    });
  });

  it("refuse what the profile doesn't accept", () => {
    expect(readSketch({}, { processingIds: ["T"] }).unit.verdict).toEqual({
      accepted: false,
      code: "202",
      location: "MSH-11",
    });
    expect(readSketch({}, { messageLimit: 100 }).unit.verdict).toMatchObject({ accepted: false, code: "102" });
    expect(() => profileSchema.parse({ ackPolicy: { answers: { NO_MSH: "AA" } } })).toThrow();
    expect(() => profileSchema.parse({ timezone: "Mars/Olympus" })).toThrow();
  });

  it("of a failing translation reject the message and keep it", () => {
    const failures: unknown[] = [];
    const surrogate = () => {
      throw new Error("bug");
    };
    const context = { ...contextOf(), surrogate, onFailure: (error: unknown) => failures.push(error) };
    const { unit } = readMessage(Buffer.from(messageOf()), context);
    expect(unit).toMatchObject({ verdict: { accepted: false, code: "207" }, flags: ["UNTRANSLATABLE"], events: [] });
    expect(unit.answer(unit.verdict)).toBe("AE");
    expect(failures.length).toBe(1);
  });
});

describe("a unit", () => {
  it("is known again by its content, not by its bytes", () => {
    const parts = (text: string) => read(text).unit.identity?.parts.map(String);
    const text = messageOf();
    expect(parts(text)).toEqual(["hl7v2", "generic", "generic/NORTH", text]);
    expect(parts(text.replaceAll("\r", "\r\n"))).toEqual(parts(text));
    expect(parts(`\ufeff${text.replaceAll("\r", "\n")}`)).toEqual(parts(text));
    expect(parts(messageOf({ controlId: "C2" }))).not.toEqual(parts(text));
  });

  it("names its sender, feed, format and control id", () => {
    expect(readSketch({}).unit).toMatchObject({
      entry: "UNIT",
      partner: "generic",
      feed: "generic/NORTH",
      format: "ADT^A01",
      controlId: { scope: ["generic", "NADT", "NORTH"], value: "C1" },
    });
  });

  it("keeps what is no type out of its format", () => {
    expect(readSketch({ type: "Jane Doe^1980" }).unit.format).toBe("HL7V2");
  });
});

describe("an answer", () => {
  it("is addressed to the sender, in the sender's delimiters and version", () => {
    expect(answerText(readSketch({ type: "ADT^A08^ADT_A01" }))).toMatch(
      /^MSH\|\^~\\&\|HUB\|ENGINE\|NADT\|NORTH\|20260102030405\+0000\|\|ACK\^A08\^ACK\|[0-9A-F]{20}\|P\|2\.5\.1\rMSA\|AA\|C1\r$/,
    );
    const other = messageOf().replaceAll("|", "*").replaceAll("^", "%").replaceAll("~", "$").replaceAll("\\", "!");
    expect(answerText(read(other))).toMatch(/^MSH\*%\$!&\*HUB\*ENGINE\*/);
  });

  it("names the place and the condition, never a value", () => {
    const text = answerText(readSketch({ pid: "1||N1^^^NORTH^MR||Doe^Jane||19890230", more: ["OBX|1"] }));
    expect(text).toContain("ERR||PID^1^7|102^Data type error^HL70357|E|BAD_DATE");
    expect(text).not.toMatch(/19890230|Doe|N1/);
    expect(answerText(readSketch({ pid: "1||||Doe", version: "2.3" }))).toContain(
      "ERR|PID^1^3^101&Required field missing&HL70357|PID^1^3|101^",
    );
  });

  it("may be in enhanced mode: CA as the journal has it, then what was made of it, each a message of its own", () => {
    const profile = { ackPolicy: { mode: "enhanced", application: "AL" } } as const;
    const good = readSketch({}, profile);
    const [accept = "", application = ""] = good.answer(good.unit.verdict).map(String);
    expect(accept).toContain("MSA|CA|C1");
    expect(application).toContain("|P|2.5.1|||NE|NE\rMSA|AA|C1");
    expect(accept.split("|")[9]).not.toBe(application.split("|")[9]);
    expect(good.unit.answer(good.unit.verdict)).toBe("CA AA");
    const bad = readSketch({ pid: "1||||Doe" }, profile);
    const [taken = "", error = ""] = bad.answer(bad.unit.verdict).map(String);
    expect([
      taken.includes("MSA|CA|"),
      taken.includes("ERR"),
      error.includes("MSA|AE|"),
      error.includes("PID^1^3"),
    ]).toEqual([true, false, true, true]);
    expect(answerText(readSketch({}, { ackPolicy: { mode: "enhanced" } }))).toContain("MSA|CA|C1");
    expect(good.tryAgain().map(String)).toEqual([expect.stringContaining("MSA|CR|C1")]);
  });

  it("is none to an acknowledgment", () => {
    const message = readSketch({ type: "ACK^A01", pid: null, pv1: null, evn: null, more: ["MSA|AA|7"] });
    expect(message.unit).toMatchObject({ verdict: { accepted: true }, events: [] });
    expect(message.unit.answer(message.unit.verdict)).toBe("none");
    expect([...message.answer(message.unit.verdict), ...message.tryAgain()]).toEqual([]);
  });

  it("is in the message's character set", () => {
    const bytes = Buffer.from(messageOf({ charset: "8859/1", facility: "SÜD" }), "latin1");
    const message = read(bytes);
    expect(message.answer({ accepted: true })[0]?.toString("latin1")).toMatch(/\|NADT\|SÜD\|.*\|8859\/1\r/);
  });

  it("asks for another try when nothing is durable", () => {
    expect(readSketch({}).tryAgain().toString()).toContain(
      "MSA|AR|C1\rERR|||207^Application internal error^HL70357|E|",
    );
  });
});

describe("partners", () => {
  const profiles = new Map(
    Object.entries({
      generic: {},
      any: { match: [{ facility: "NORTH" }] },
      exact: { match: [{ application: "NADT", facility: "NORTH" }] },
      own: { port: 2600, match: [{ application: "X" }] },
      free: { certificate: "free-engine" },
      ported: { port: 2601 },
      proven: { match: [{ facility: "EAST" }], authentication: [{ method: "basic", user: "east", password: "east" }] },
    }).map(([name, profile]) => [name, profileSchema.parse(profile)]),
  );
  const sender = (application: string, facility: string, bound?: string) => {
    const { partner, problem } = senderOf(profiles, application, facility, bound);
    return [partner?.name, problem];
  };

  it("are found by the most exact match, else generic", () => {
    expect(sender("NADT", "NORTH")).toEqual(["exact", undefined]);
    expect(sender("OTHER", "NORTH")).toEqual(["any", undefined]);
    expect(sender("OTHER", "SOUTH")).toEqual(["generic", undefined]);
  });

  it("are found by names beyond ASCII, whatever the character set", () => {
    const known = new Map([...profiles, ["sued", profileSchema.parse({ match: [{ facility: "SÜD" }] })]]);
    for (const [charset, encoding] of [
      ["UNICODE UTF-8", "utf8"],
      ["8859/1", "latin1"],
      ["", "utf8"],
      ["", "latin1"],
    ] as const) {
      const bytes = Buffer.from(messageOf({ charset, facility: "SÜD" }), encoding);
      const message = readMessage(bytes, { ...contextOf(), profiles: known });
      expect([message.unit.partner, message.unit.feed]).toEqual(["sued", "sued/SÜD"]);
      expect(message.answer({ accepted: true })[0]?.toString(encoding)).toContain("|NADT|SÜD|");
    }
  });

  it("that a connection belongs to speak for the senders their profile names, or for any that no other's names", () => {
    expect(sender("X", "NORTH", "own")).toEqual(["own", undefined]);
    expect(sender("NADT", "NORTH", "own")).toEqual(["own", "SENDER_MISMATCH"]);
    expect(sender("NEW", "WEST", "free")).toEqual(["free", undefined]);
    expect(sender("NADT", "NORTH", "free")).toEqual(["free", "SENDER_MISMATCH"]);
    // Who comes in by a port of its own may be one that can't be told from others by its header.
    expect(sender("NADT", "NORTH", "ported")).toEqual(["ported", undefined]);
  });

  it("with a certificate, port or proof of their own are not believed by the header", () => {
    expect(sender("X", "SOUTH")).toEqual([undefined, "CREDENTIAL_MISSING"]);
    expect(sender("ANY", "EAST")).toEqual([undefined, "CREDENTIAL_MISSING"]);
    const { unit } = readMessage(Buffer.from(messageOf({ application: "X", facility: "SOUTH" })), {
      ...contextOf(),
      profiles,
    });
    expect(unit).toMatchObject({ partner: "unknown", verdict: { code: "204", location: "MSH-4" }, events: [] });
  });

  it("whose profiles can't be used are nobody else's, and are told to send again", () => {
    const out = (contents: Record<string, unknown>) => suspendedOf(new Map(Object.entries(contents)));
    const told = (application: string, facility: string, suspended: ReturnType<typeof out>, bound?: string) => {
      const { partner, problem } = senderOf(profiles, application, facility, bound, suspended);
      return partner?.name ?? problem;
    };
    // Its match can still be read: only what it fits better than all others is its own.
    const lake = out({
      lake: { match: [{ application: "A", facility: "NORTH" }], timezone: "Mars", certificate: "l" },
    });
    expect(told("A", "NORTH", lake)).toBe("PROFILE_UNUSABLE");
    expect(told("ANY", "THING", lake, "lake")).toBe("PROFILE_UNUSABLE");
    const others = [told("B", "NORTH", lake), told("NADT", "NORTH", lake), told("B", "SOUTH", lake)];
    expect(others).toEqual(["any", "exact", "generic"]);
    // Nothing of it can be read: it may be whoever no other profile names by both names.
    const unread = out({ lake: undefined });
    const may = [told("NADT", "NORTH", unread), told("A", "NORTH", unread), told("B", "SOUTH", unread)];
    expect(may).toEqual(["exact", "PROFILE_UNUSABLE", "PROFILE_UNUSABLE"]);
    expect(told("X", "NORTH", unread, "own")).toBe("own");
  });

  it("are told whose their file is taken to be, where the answers don't", () => {
    const file = [messageOf({ application: "NADT", facility: "NORTH" }), messageOf({ facility: "SOUTH" })].join("\r");
    expect(takenAs(Buffer.from(file), "any", profiles)).toEqual(["exact", "generic"]);
    expect(takenAs(Buffer.from(file), "own", profiles)).toEqual([]);
  });

  it("that nobody knows are rejected where there is no generic", () => {
    const { unit } = readMessage(Buffer.from(messageOf()), { ...contextOf(), profiles: new Map() });
    expect(unit).toMatchObject({
      partner: "unknown",
      verdict: { accepted: false, code: "204", location: "MSH-4" },
      events: [],
    });
  });
});
