import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { dropInterchanges, playRegion } from "./deliver.js";
import { frame, frameReader } from "./mllp.js";
import { generateRegion, type Region } from "./region.js";

/** What the n-th message that a server is given, counted from 0, is answered; "drop" breaks the connection. */
type Reply = (message: Buffer, number: number) => string | "drop";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));

async function mllpServer(reply: Reply): Promise<{ address: string; got: Buffer[] }> {
  const got: Buffer[] = [];
  const sockets = new Set<Socket>();
  let number = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on(
      "data",
      frameReader((message) => {
        if (socket.destroyed) return;
        const answer = reply(message, number++);
        if (answer === "drop") socket.destroy();
        else {
          got.push(Buffer.from(message));
          socket.write(frame(Buffer.from(answer)));
        }
      }),
    );
  });
  opened.push({ close: () => [server.close(), ...[...sockets].map((socket) => socket.destroy())] });
  return { address: `mllp://127.0.0.1:${await listen(server)}`, got };
}

async function x12Server(
  status: (number: number) => number,
  body: string,
): Promise<{ address: string; urls: string[] }> {
  const urls: string[] = [];
  const server = createHttp((request, response) => {
    request.resume().on("end", () => {
      response.statusCode = status(urls.push(request.url ?? "") - 1);
      response.end(body);
    });
  });
  opened.push({ close: () => [server.close(), server.closeAllConnections()] });
  return { address: `http://127.0.0.1:${await listen(server)}`, urls };
}

const ack = (code: string, error?: string): string =>
  `MSH|^~\\&|T|T|S|S|20260112||ACK|1|P|2.5.1\rMSA|${code}|1\r${error === undefined ? "" : `ERR||PID^1^3|${error}^Text|E\r`}`;

const whole = generateRegion({ seed: "deliver", patients: 12 });
const only = (sender: "north" | "insurer"): Region => ({ ...whole, senderNames: [sender] });
const sent = (sender: "north" | "insurer"): Buffer[] => [...whole.deliveries(sender)].map((one) => one.bytes);
const rightly = (sender: "north"): ReadonlyMap<string, string> =>
  new Map(
    [...whole.deliveries(sender)].map(({ bytes, expectation: e }) => [bytes.toString("hex"), ack(e.answer, e.code)]),
  );

describe("playing a region", () => {
  it("sends every message in its order and finds every answer right", async () => {
    const replies = rightly("north");
    const { address, got } = await mllpServer((message) => replies.get(message.toString("hex")) ?? "drop");
    const result = await playRegion(only("north"), { addresses: { mllp: address, x12: "" } });
    expect(got).toEqual(sent("north"));
    expect(result).toEqual({ delivered: got.length, units: got.length, retries: 0, surprises: [] });
  });

  it("sends again, in order, what a broken connection or a retryable answer left open", async () => {
    const replies = rightly("north");
    const { address, got } = await mllpServer((message, number) =>
      number % 13 === 5
        ? "drop"
        : number % 17 === 8
          ? ack("AR", "207")
          : (replies.get(message.toString("hex")) ?? "drop"),
    );
    const options = { addresses: { mllp: address, x12: "" }, retryAfter: 1, concurrency: 4 };
    const result = await playRegion(only("north"), options);
    expect(result.surprises).toEqual([]);
    expect(result.retries).toBeGreaterThan(0);
    // The first time that each message was taken stands in the order of the sender.
    const first = [...new Set(got.map((one) => one.toString("hex")))];
    expect(first).toEqual([...new Set(sent("north").map((one) => one.toString("hex")))]);
  });

  it("tells where an answer is not the expected one", async () => {
    const replies = rightly("north");
    const { address } = await mllpServer((message, number) =>
      number === 2 ? ack("AE", "103") : (replies.get(message.toString("hex")) ?? "drop"),
    );
    const { surprises } = await playRegion(only("north"), { addresses: { mllp: address, x12: "" }, concurrency: 3 });
    expect(surprises).toEqual([{ sender: "north", index: 2, expected: "AA", received: "AE 103" }]);
  });

  it("posts interchanges to the partner's address, again after 503, and reads 999 and TA1", async () => {
    const { address, urls } = await x12Server((n) => (n === 0 ? 503 : 200), "AK2*835*0001~IK5*A~AK9*A*1*1*1~");
    const options = { addresses: { mllp: "", x12: address }, retryAfter: 1 };
    const result = await playRegion(only("insurer"), options);
    expect(result.retries).toBe(1);
    expect(urls).toHaveLength(result.delivered + 1);
    expect(new Set(urls)).toEqual(new Set(["/partners/insurer/interchanges"]));
    // The two interchanges sent twice are expected to be refused.
    const resent = [...whole.expectations("insurer")].filter((one) => one.resend).length;
    expect(result.surprises.map((one) => one.expected)).toEqual(Array.from({ length: resent }, () => "TA1:R:025 025"));
  });

  it("drops interchanges as whole files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "region-"));
    opened.push({ close: () => void rm(folder, { recursive: true }) });
    const names = await dropInterchanges(whole, "insurer", folder);
    expect((await readdir(folder)).sort()).toEqual([...names].sort());
    expect(await Promise.all(names.map((name) => readFile(join(folder, name))))).toEqual(sent("insurer"));
  });

  it("gives up with the sender's name when nothing answers", async () => {
    const { address } = await mllpServer(() => "drop");
    const options = { addresses: { mllp: address, x12: "" }, retryAfter: 1, patience: 40 };
    await expect(playRegion(only("north"), options)).rejects.toThrow(/^north: no final answer for 40 ms/);
  });
});
