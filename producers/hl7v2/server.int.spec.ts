import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import pino from "pino";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { Receiver, SendLine } from "../../engine/intake/connector.js";
import type { PartnerProof } from "../../engine/reception/partner-client.js";
import { TributaryError } from "../../engine/service/errors.js";
import { readSettings } from "../../engine/service/settings.js";
import { certificateFolder } from "../../engine/testing/certificates.js";
import { recordingIntake } from "../../engine/testing/recording-intake.js";
import connector from "./connector.js";
import { frame } from "./mllp.js";
import { messageOf } from "./testing/messages.js";

const home = mkdtempSync(join(tmpdir(), "tributary-hl7v2-"));
const open: Receiver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((receiver) => receiver.close()));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function start(environment: Record<string, string> = {}, profiles: Record<string, unknown> = { generic: {} }) {
  const intake = recordingIntake();
  const receiver = await connector.receive({
    intake,
    settings: readSettings({ TRIBUTARY_HOME: home, ...environment }),
    profiles: new Map(Object.entries(profiles).map(([name, profile]) => [name, connector.profile.parse(profile)])),
    logger: pino({ level: "silent" }),
  });
  open.push(receiver);
  return { intake, receiver };
}

async function send(
  receiver: Receiver,
  bytes: Buffer | string,
  partner = "generic",
  rate?: number,
): Promise<SendLine[]> {
  const lines: SendLine[] = [];
  const request = { addresses: receiver.addresses, partner, file: "file.hl7", bytes: Buffer.from(bytes) };
  for await (const line of connector.send({ ...request, ...(rate !== undefined && { rate }) })) lines.push(line);
  return lines;
}

const portOf = (receiver: Receiver) => Number(new URL(receiver.addresses[0]?.url ?? "").port);

describe("sending to the connector", () => {
  it("tells each message's answer, in order, byte for byte what the file holds", async () => {
    const { intake, receiver } = await start();
    const file = [
      messageOf({ controlId: "1" }),
      messageOf({ controlId: "2", pid: "1||||Doe^Jane" }).replaceAll("\r", "\r\n"),
      messageOf({ controlId: "3", version: "9.9" }),
    ];
    const lines = await send(receiver, file.join(""));
    expect(lines.map(({ ms, ...line }) => line)).toEqual([
      { file: "file.hl7", index: 0, controlId: "1", accepted: true, code: null, location: null, answer: "AA" },
      { file: "file.hl7", index: 1, controlId: "2", accepted: false, code: "101", location: "PID-3", answer: "AE" },
      { file: "file.hl7", index: 2, controlId: "3", accepted: false, code: "203", location: "MSH-12", answer: "AR" },
    ]);
    expect(intake.units.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(file);
  });

  it("waits for the acknowledgment of the application, where one follows the CA", async () => {
    const { receiver } = await start({}, { generic: { ackPolicy: { mode: "header" } } });
    const asking = (controlId: string, accept: string, application: string, pid?: string) =>
      messageOf({ controlId, ...(pid && { pid }) }).replace("|P|2.5.1", `|P|2.5.1|||${accept}|${application}`);
    const lines = await send(
      receiver,
      [asking("1", "AL", "AL"), asking("2", "AL", "ER"), asking("3", "AL", "ER", "1||||Doe"), asking("4", "", "")].join(
        "",
      ),
    );
    expect(lines.map(({ controlId, answer, accepted }) => [controlId, answer, accepted])).toEqual([
      ["1", "AA", true],
      ["2", "CA", true],
      ["3", "AE", false],
      ["4", "AA", true],
    ]);
  });

  it("takes complete blocks out of a framed file", async () => {
    const { receiver } = await start();
    const lines = await send(
      receiver,
      Buffer.concat([Buffer.from("\x0bMSH|half"), frame(Buffer.from(messageOf())), frame(Buffer.alloc(0))]),
    );
    expect(lines.map(({ answer }) => answer)).toEqual(["AA"]);
  });

  it("tells of a file without a message by one line without an index", async () => {
    const { intake, receiver } = await start();
    expect(await send(receiver, "PID|1||N1\r")).toMatchObject([
      { index: null, controlId: null, accepted: false, answer: "AR" },
    ]);
    expect(await send(receiver, "\r\n")).toMatchObject([
      { index: null, accepted: false, code: "NO_UNIT", answer: null },
    ]);
    expect(intake.units.length).toBe(1);
  });

  it("keeps to the rate asked for", async () => {
    const { receiver } = await start();
    const begun = performance.now();
    await send(receiver, messageOf().repeat(6), "generic", 50);
    expect(performance.now() - begun).toBeGreaterThan(95);
  });

  it("fails where nobody listens", async () => {
    const { receiver } = await start();
    await receiver.close();
    await expect(send(receiver, messageOf())).rejects.toMatchObject({ code: "TRIB_HL7V2_UNREACHABLE" });
  });
});

describe("the MLLP server", () => {
  it("gives a partner its own port, whatever its header says", async () => {
    const free = await start();
    const port = portOf(free.receiver);
    await free.receiver.close();
    const { intake, receiver } = await start({}, { generic: {}, special: { port } });
    expect(receiver.addresses.filter(({ protocol }) => protocol === "mllp")).toEqual([
      { protocol: "mllp", url: expect.stringMatching(/^mllp:\/\/127\.0\.0\.1:\d+$/) },
      { protocol: "mllp", url: `mllp://127.0.0.1:${port}`, partner: "special" },
    ]);
    await send(receiver, messageOf(), "special");
    await send(receiver, messageOf(), "other");
    expect(intake.units.map(({ partner }) => partner)).toEqual(["special", "generic"]);
  });

  it("turns away one connection too many", async () => {
    const { receiver } = await start({ HL7V2_CONNECTIONS: "1" });
    const first = connect(portOf(receiver), "127.0.0.1");
    first.on("error", () => {}).resume();
    await new Promise((resolve) => first.on("connect", resolve));
    const second = connect(portOf(receiver), "127.0.0.1");
    second.on("error", () => {}).resume();
    await new Promise((resolve) => second.on("close", resolve));
    expect(
      await new Promise((resolve) => {
        first.once("data", (chunk: Buffer) => resolve(chunk.toString()));
        first.write(frame(Buffer.from(messageOf())));
      }),
    ).toContain("MSA|AA");
    first.destroy();
  });

  it("answers a partner that has closed its sending side", async () => {
    const { receiver } = await start();
    const socket = connect(portOf(receiver), "127.0.0.1");
    const received: Buffer[] = [];
    socket.on("data", (chunk) => received.push(chunk));
    socket.end(frame(Buffer.from(messageOf())));
    await new Promise((resolve) => socket.on("close", resolve));
    expect(Buffer.concat(received).toString()).toContain("MSA|AA|C1");
  });

  it("closes an idle connection", async () => {
    const { receiver } = await start({ HL7V2_IDLE_SECONDS: "1" });
    const socket = connect(portOf(receiver), "127.0.0.1");
    socket.resume();
    await new Promise((resolve) => socket.on("close", resolve));
  });

  it("stops while partners stay connected", async () => {
    const { receiver } = await start();
    const socket = connect({ port: portOf(receiver), host: "127.0.0.1", allowHalfOpen: true });
    socket.resume().on("error", () => {});
    await new Promise((resolve) => socket.on("connect", resolve));
    await receiver.close();
    socket.destroy();
  });

  it("refuses to start on a port that is taken", async () => {
    const { receiver } = await start();
    await expect(start({ HL7V2_PORT: String(portOf(receiver)) })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("HL7 v2 over HTTP", () => {
  const post = async (receiver: Receiver, body: string, headers: Record<string, string> = {}) => {
    const url = receiver.addresses.find(({ protocol }) => protocol === "http")?.url ?? "";
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "x-application/hl7-v2+er7", ...headers },
    });
    return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
  };

  it("answers with the acknowledgment, and with a status that says the same", async () => {
    const { intake, receiver } = await start();
    expect(await post(receiver, messageOf())).toMatchObject({
      status: 200,
      text: expect.stringContaining("MSA|AA|C1"),
      type: "x-application/hl7-v2+er7",
    });
    expect(await post(receiver, messageOf({ pid: "1||||Doe" }))).toMatchObject({
      status: 422,
      text: expect.stringContaining("ERR||PID^1^3|101^"),
    });
    expect((await post(receiver, "no message")).status).toBe(400);
    expect((await post(receiver, "{}", { "content-type": "application/json" })).status).toBe(415);
    expect(intake.units.map(({ partner }) => partner)).toEqual(["generic", "generic", "generic"]);
    intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
    expect(await post(receiver, messageOf())).toMatchObject({
      status: 503,
      text: expect.stringContaining("|207^Application internal error"),
    });
  });

  it("takes what comes to a partner's address for that partner's, from the senders that its profile names", async () => {
    const profile = { match: [{ application: "NADT", facility: "NORTH" }] };
    const { intake, receiver } = await start({}, { north: profile });
    expect((await post(receiver, messageOf())).status).toBe(200);
    expect((await post(receiver, messageOf({ facility: "SOUTH" }))).text).toContain("|SENDER_MISMATCH");
    expect(intake.units.map(({ partner }) => partner)).toEqual(["north", "north"]);
  });
});

describe("dropped files of HL7 v2", () => {
  const drop = async (content: string | Buffer, name: string, environment: Record<string, string> = {}) => {
    const inbox = mkdtempSync(join(home, "inbox-"));
    const bench = await start({ HL7V2_INBOX: inbox, ...environment });
    const path = (folder: string, file = name) => join(inbox, "generic", folder, file);
    writeFileSync(path("in", `.${name}`), content);
    renameSync(path("in", `.${name}`), path("in"));
    return { ...bench, path };
  };

  it("are answered message by message, with batch envelopes or without", async () => {
    const messages = [messageOf({ controlId: "1" }), "MSH|broken\r", messageOf({ controlId: "3" })].join("");
    const { intake, path } = await drop(`FHS|^~\\&|A\rBHS|^~\\&|A\r${messages}BTS|3\rFTS|1\r`, "batch.hl7");
    await expect.poll(() => existsSync(path("failed")), { timeout: 5000 }).toBe(true);
    const answers = [...readFileSync(path("out", "batch.hl7.ack"), "latin1").matchAll(/MSA\|(\w\w)/g)];
    expect(answers.map(([, code]) => code)).toEqual(["AA", "AR", "AA"]);
    expect(intake.units.map(({ entry }) => entry)).toEqual([
      ...["ENVELOPE", "ENVELOPE", "UNIT", "UNIT", "UNIT", "ENVELOPE", "ENVELOPE", "CLOSING"],
    ]);
    expect(intake.units.at(-1)).toMatchObject({ flags: [], closing: { units: 3 } });
    const cut = await drop(`FHS|^~\\&|A\rBHS|^~\\&|A\r${messageOf()}`, "cut.hl7");
    await expect.poll(() => cut.intake.units.at(-1)?.flags).toEqual(["BATCH_NOT_CLOSED"]);
  });

  it("may be blocks of MLLP, and belong in done/ when all of them were accepted", async () => {
    const { path } = await drop(
      // After what an editor or an earlier message left there.
      Buffer.concat([
        Buffer.from("\ufeff\r\n"),
        ...["1", "2"].map((controlId) => frame(Buffer.from(messageOf({ controlId })))),
      ]),
      "a.hl7",
    );
    await expect.poll(() => existsSync(path("done")), { timeout: 5000 }).toBe(true);
    expect(readFileSync(path("done", "a.hl7.ack"), "latin1").match(/MSA\|AA/g)?.length).toBe(2);
  });

  it("in blocks of which the last was cut off are kept to the byte, and don't count as accepted", async () => {
    const half = Buffer.from(messageOf({ controlId: "2" })).subarray(0, 90);
    const { intake, path } = await drop(
      Buffer.concat([frame(Buffer.from(messageOf())), Buffer.from("\x0b"), half]),
      "half.hl7",
    );
    await expect.poll(() => existsSync(path("failed")), { timeout: 5000 }).toBe(true);
    expect(readFileSync(path("out", "half.hl7.ack"), "latin1").match(/MSA\|AA/g)?.length).toBe(1);
    const rest = intake.units.find(({ flags }) => flags?.includes("MLLP_FRAME_NOT_CLOSED"));
    expect(Buffer.from(rest?.bytes ?? [])).toEqual(half);
  });

  it("over the limit are refused by name of the limit", async () => {
    const { intake, path } = await drop(messageOf().repeat(20), "big.hl7", { HL7V2_FILE_LIMIT: "1024" });
    await expect.poll(() => existsSync(path("failed")), { timeout: 5000 }).toBe(true);
    expect(readFileSync(path("out", "big.hl7.problem.json"), "utf8")).toContain("TRIB_HL7V2_FILE_TOO_LARGE");
    expect(intake.units).toEqual([]);
  });
});

describe("MLLP over TLS", () => {
  const { folder, path, openssl, hasOpenssl } = certificateFolder("mllp");
  afterAll(() => rmSync(folder, { recursive: true }));

  it.skipIf(!hasOpenssl)("knows a partner by its certificate, and turns away who has none", async () => {
    for (const [name, subject] of [
      ["server", "/CN=127.0.0.1"],
      ["client", "/CN=north-engine"],
      ["other", "/CN=west-engine"],
    ] as const) {
      const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
      openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        subject,
        ...files,
      );
    }
    writeFileSync(path("ca.pem"), Buffer.concat(["client.pem", "other.pem"].map((name) => readFileSync(path(name)))));
    const free = await start();
    const port = portOf(free.receiver);
    await free.receiver.close();
    const { intake, receiver } = await start(
      {
        HL7V2_TLS_CERT_FILE: path("server.pem"),
        HL7V2_TLS_KEY_FILE: path("server.key"),
        HL7V2_TLS_CA_FILE: path("ca.pem"),
      },
      {
        generic: {},
        north: { certificate: ["old-engine", "north-engine"], match: [{ facility: "NORTH" }], port },
        west: { certificate: "west-engine" },
      },
    );
    expect(receiver.addresses[0]?.url).toMatch(/^mllps:/);
    const dial = (certificate: object, message = messageOf(), to = portOf(receiver)) =>
      new Promise<string>((resolve, reject) => {
        const socket = connectTls({
          port: to,
          host: "127.0.0.1",
          rejectUnauthorized: false,
          ...certificate,
        });
        let received = "";
        socket.on("data", (chunk: Buffer) => {
          received += chunk.toString();
        });
        socket.on("error", reject).on("close", () => resolve(received));
        socket.end(frame(Buffer.from(message)));
      });
    const answer = await dial({ cert: readFileSync(path("client.pem")), key: readFileSync(path("client.key")) });
    expect(answer).toContain("MSA|AA");
    expect(intake.units.map(({ partner }) => partner)).toEqual(["north"]);
    const own = { cert: readFileSync(path("client.pem")), key: readFileSync(path("client.key")) };
    expect(await dial(own, messageOf({ facility: "SOUTH" }))).toContain(
      "|204^Unknown key identifier^HL70357|E|SENDER_MISMATCH",
    );
    // Another partner's certificate is no proof of this one, on its port or with its header.
    const west = { cert: readFileSync(path("other.pem")), key: readFileSync(path("other.key")) };
    for (const to of [port, portOf(receiver)]) {
      expect(await dial(west, messageOf(), to)).toContain("|SENDER_MISMATCH");
      expect(intake.units.at(-1)).toMatchObject({ partner: "west", events: [] });
    }
    expect(await dial(own, messageOf(), port)).toContain("MSA|AA");
    intake.units.splice(1);
    await dial({}).catch(() => {});
    expect(intake.units.length).toBe(1);

    // What `send` tells of it: nobody has rejected what nobody has answered.
    const pem = (name: string) => readFileSync(path(name), "utf8");
    const sending = async (proof: PartnerProof) => {
      const request = { addresses: receiver.addresses, partner: "generic", file: "file.hl7", proof };
      const lines = connector.send({ ...request, bytes: Buffer.from(messageOf()) });
      return (await lines[Symbol.asyncIterator]().next()).value as SendLine;
    };
    const shown = (name: string) => ({ certificate: { cert: pem(`${name}.pem`), key: pem(`${name}.key`) } });
    const pinned = [pem("server.pem")];
    expect(await sending({ pinned, ...shown("client") })).toMatchObject({ answer: "AA" });
    const refused = (message: RegExp) => ({
      code: "TRIB_CLI_CERTIFICATE_REFUSED",
      message: expect.stringMatching(message),
    });
    await expect(sending({ pinned })).rejects.toMatchObject(refused(/without a client certificate/));
    await expect(sending({ pinned, ...shown("server") })).rejects.toMatchObject(refused(/not to take the one given/));
    const untrusted = (message: RegExp) => ({
      code: "TRIB_CLI_SERVER_UNTRUSTED",
      message: expect.stringMatching(message),
    });
    await expect(sending(shown("client"))).rejects.toMatchObject(untrusted(/is not trusted \(\w+\)/));
    const named = { authority: pem("server.pem"), ...shown("client") };
    await expect(sending(named)).rejects.toMatchObject(untrusted(/is for another name: 127\.0\.0\.1/));
    expect(intake.units.length).toBe(2);
  });
});
