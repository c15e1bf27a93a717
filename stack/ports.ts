import { randomInt } from "node:crypto";
import { connect, createServer, type Server } from "node:net";
import type { StackPorts } from "./state.js";

const host = "127.0.0.1";

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

/**
 * Below those from which systems give ports to outgoing connections (Linux 32768, others 49152): a service that is away for
 * a moment would lose its port to one, be it a client's of its own that tries to reach it.
 */
const [lowest, beyond] = [12_000, 30_000];
const mostTries = 100;

async function hold(): Promise<Server> {
  for (let tried = 1; ; tried++) {
    try {
      return await listen(randomInt(lowest, beyond));
    } catch (error) {
      if (tried === mostTries) throw error;
    }
  }
}

/** Four ports of the loopback address that nobody listens on; all are held until all are known, so they differ. */
export async function freePorts(): Promise<StackPorts> {
  const servers = await Promise.all([hold(), hold(), hold(), hold()]);
  const [kafka, controller, registry, postgres] = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return { kafka: kafka!, controller: controller!, registry: registry!, postgres: postgres! };
}

/** Whether a server could listen on a port of the loopback address. */
export async function isFree(port: number): Promise<boolean> {
  try {
    const server = await listen(port);
    await new Promise((resolve) => server.close(resolve));
    return true;
  } catch {
    return false;
  }
}

/**
 * Sends bytes to a port and gives the first bytes of the answer; undefined when nobody listens, the connection is
 * closed without an answer, or none comes in time.
 * @param limit milliseconds, default 2000.
 */
export function ask(port: number, question: Buffer, limit = 2000): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (answer: Buffer | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(limit, () => finish(undefined));
    socket.once("error", () => finish(undefined));
    socket.once("close", () => finish(undefined));
    socket.once("connect", () => socket.write(question));
    socket.once("data", (answer) => finish(answer));
  });
}

/** Whether something accepts connections on a port of the loopback address. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 2000 });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
    socket.once("timeout", () => finish(false));
  });
}
