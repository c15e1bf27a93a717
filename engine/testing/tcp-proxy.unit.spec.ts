import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type PostgresReply, type PostgresRequest, postgresFraming } from "./postgres-framing.js";
import { passed, startTcpProxy, type TcpProxy, type TcpProxyOptions, type Treatment, unframed } from "./tcp-proxy.js";

let server: Server;
let proxy: TcpProxy | undefined;
let client: Socket;
let sockets: Set<Socket>;
/** What reached the server, a read each, and how its connections ended. */
let received: Buffer[];
let serverEnds: string[];
/** What the server does with what it gets; default: sends it back. */
let answer: (socket: Socket, chunk: Buffer) => void;

beforeEach(async () => {
  received = [];
  serverEnds = [];
  answer = (socket, chunk) => socket.write(chunk);
  sockets = new Set();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("data", (chunk) => {
      received.push(chunk);
      answer(socket, chunk);
    });
    socket.on("end", () => serverEnds.push("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => serverEnds.push(error.code ?? ""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  client?.destroy();
  await proxy?.close();
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
});

type Raw = { readonly bytes: Buffer };
async function dial(options: Partial<TcpProxyOptions<Raw, Raw>> = {}): Promise<void> {
  const { port } = server.address() as AddressInfo;
  proxy = await startTcpProxy<Raw, Raw>({ host: "127.0.0.1", port, framing: unframed, ...options });
  client = connect({ port: proxy.port, host: "127.0.0.1", noDelay: true });
  client.on("error", () => {});
}
const nextText = async (): Promise<string> => String((await once(client, "data"))[0]);
/** How the client's connection ends. */
const end = async (): Promise<string> => {
  const ended = new Promise<string>((resolve) => {
    client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    client.once("end", () => resolve("end"));
  });
  client.resume();
  return ended;
};
const settled = () => new Promise((resolve) => setTimeout(resolve, 30));

describe("a TCP proxy", () => {
  it("passes both directions and an orderly end", async () => {
    await dial();
    client.write("hello");
    expect(await nextText()).toBe("hello");
    expect(proxy?.open).toBe(1);
    client.end();
    expect(await end()).toBe("end");
    expect(serverEnds).toEqual(["end"]);
  });

  it("drops: closes without forwarding", async () => {
    await dial({ request: () => ({ kind: "cut" }) });
    client.write("hello");
    expect(await end()).toBe("ECONNRESET");
    await settled();
    expect(received).toEqual([]);
  });

  it("cuts after some bytes, in either direction", async () => {
    await dial({ request: () => ({ kind: "cut", after: 2 }) });
    client.write("hello");
    expect(await end()).toBe("ECONNRESET");
    await settled();
    expect(String(Buffer.concat(received))).toBe("he");
    await proxy?.close();
    received.length = 0;
    await dial({ reply: () => ({ kind: "cut", after: 3 }) });
    client.write("hello");
    expect(await nextText()).toBe("hel");
    expect(String(Buffer.concat(received))).toBe("hello");
  });

  it("cuts when told", async () => {
    await dial();
    client.write("hello");
    await nextText();
    proxy?.cut();
    expect(await end()).toBe("ECONNRESET");
  });

  it("is a black hole in either direction, and stays open", async () => {
    await dial({ request: ({ bytes }) => (String(bytes) === "first" ? passed : { kind: "swallow" }) });
    client.write("first");
    expect(await nextText()).toBe("first");
    client.write("second");
    await settled();
    client.write("first");
    await settled();
    expect(String(Buffer.concat(received))).toBe("first");
    expect([client.destroyed, serverEnds, proxy?.open]).toEqual([false, [], 1]);
    client.destroy();
    await proxy?.close();
    received.length = 0;
    await dial({ reply: () => ({ kind: "swallow" }) });
    client.write("hello");
    await settled();
    expect([String(Buffer.concat(received)), client.bytesRead, client.destroyed]).toEqual(["hello", 0, false]);
  });

  it("delays, holds back until told, discards a piece, slices", async () => {
    let release: (treatment: Treatment) => void = () => {};
    const held = new Promise<Treatment>((resolve) => {
      release = resolve;
    });
    const treatments: Record<string, Treatment | Promise<Treatment>> = {
      late: { kind: "delay", milliseconds: 40 },
      held,
      gone: { kind: "discard" },
      sliced: { kind: "slice", bytes: 1 },
    };
    await dial({ request: ({ bytes }) => treatments[String(bytes)] ?? passed });
    const started = performance.now();
    client.write("late");
    expect(await nextText()).toBe("late");
    expect(performance.now() - started).toBeGreaterThan(35);
    client.write("held");
    await settled();
    expect(String(received.at(-1))).toBe("late");
    release(passed);
    expect(await nextText()).toBe("held");
    client.write("gone");
    await settled();
    expect(String(received.at(-1))).toBe("held");
    received.length = 0;
    client.write("sliced");
    while (Buffer.concat(received).length < 6) await nextText();
    expect(String(Buffer.concat(received))).toBe("sliced");
    expect(received.length).toBeGreaterThan(1);
  });

  it("delivers what it held although its sender is gone, as a network does", async () => {
    let release: (treatment: Treatment) => void = () => {};
    await dial({
      request: () =>
        new Promise<Treatment>((resolve) => {
          release = resolve;
        }),
    });
    client.write("hello");
    await settled();
    client.destroy();
    await settled();
    release(passed);
    await settled();
    expect(String(Buffer.concat(received))).toBe("hello");
  });

  it("refuses connections, or keeps them with nobody behind", async () => {
    await dial({ connection: () => ({ kind: "cut" }) });
    expect(await end()).toBe("ECONNRESET");
    await proxy?.close();
    await dial({ connection: () => ({ kind: "swallow" }) });
    client.write("hello");
    await settled();
    expect([received, client.destroyed]).toEqual([[], false]);
  });

  it("does not read on while what it forwards is not taken: nothing piles up in it", async () => {
    answer = (socket) => socket.pause();
    await dial();
    const chunk = Buffer.alloc(1 << 20);
    let sent = 0;
    while (sent < 64 && (client.write(chunk) || (await Promise.race([once(client, "drain"), settled()])))) sent += 1;
    expect(sent).toBeLessThan(64);
  });
});

describe("Postgres' framing", () => {
  const message = (type: string, ...texts: (string | Buffer)[]): Buffer => {
    const body = Buffer.concat(texts.map((text) => (typeof text === "string" ? Buffer.from(`${text}\0`) : text)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type), length, body]);
  };
  const startUp = message("", Buffer.from("\0\x03\0\0user\0x\0\0", "latin1"));
  const sync = message("S");

  it("gives statements whole, by name and text, however the bytes come; answers name their statement", () => {
    const stream = Buffer.concat([
      startUp,
      message("p", "secret"),
      ...[message("P", "write_1", "INSERT é"), message("B", "", "write_1"), message("E", ""), sync],
      ...[message("B", "", "write_1"), message("E", ""), sync],
      message("Q", "SELECT 1"),
      message("X"),
    ]);
    const answers = Buffer.concat([
      ...[message("R"), message("Z"), message("1"), message("C", "INSERT"), message("Z")],
      ...[message("C", "INSERT"), message("Z"), message("C", "SELECT")],
    ]);
    for (const size of [1, 7, 4096]) {
      const { request, reply } = postgresFraming();
      const requests: PostgresRequest[] = [];
      const replies: PostgresReply[] = [];
      for (let at = 0; at < 20; at += size) replies.push(...reply(answers.subarray(at, Math.min(at + size, 10))));
      for (let at = 0; at < stream.length; at += size) requests.push(...request(stream.subarray(at, at + size)));
      for (let at = 10; at < answers.length; at += size) replies.push(...reply(answers.subarray(at, at + size)));
      const written = { name: "write_1", text: "INSERT é" };
      const selected = { name: "", text: "SELECT 1" };
      expect(requests.map(({ statement }) => statement)).toEqual([
        ...[undefined, undefined, written, written, selected, undefined],
      ]);
      expect(Buffer.concat(requests.map(({ bytes }) => bytes))).toEqual(stream);
      expect(Buffer.concat(replies.map(({ bytes }) => bytes))).toEqual(answers);
      expect(replies.filter(({ complete }) => complete).map(({ statement }) => statement)).toEqual([
        ...[undefined, written, written],
      ]);
      expect(replies.at(-1)).toMatchObject({ statement: selected, complete: false });
    }
  });
});
