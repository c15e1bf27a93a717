import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** What becomes of a piece of a connection's bytes. */
export type Treatment =
  | { readonly kind: "pass" }
  | { readonly kind: "delay"; readonly milliseconds: number }
  /** Forwarded in pieces of so many bytes, each a packet of its own. */
  | { readonly kind: "slice"; readonly bytes: number }
  /** This piece alone is swallowed. */
  | { readonly kind: "discard" }
  /** So many of its bytes are forwarded (default none), then the connection is broken, for both sides at once. */
  | { readonly kind: "cut"; readonly after?: number }
  /** A black hole: it and all that follows in this direction is swallowed, the connection stays open. */
  | { readonly kind: "swallow" };

export const passed: Treatment = { kind: "pass" };

/** A piece of one direction of a connection: what one read gave, or what a framing makes of it. */
export interface Piece {
  readonly bytes: Buffer;
  /** 1 for the proxy's first connection, and so on. */
  readonly connection: number;
}

/** Makes pieces of one direction of one connection; bytes it keeps for later are forwarded once they are whole. */
export type Framer<Made> = (chunk: Buffer) => readonly Made[];

/** Decides about a piece before any byte of it is forwarded. A promise holds the direction back until it resolves. */
export type Decide<Made> = (piece: Made & Piece) => Treatment | Promise<Treatment>;

export interface TcpProxyOptions<Request extends object, Reply extends object> {
  readonly host: string;
  readonly port: number;
  /** Framers of one connection: client to server, server to client. */
  readonly framing: () => { readonly request: Framer<Request>; readonly reply: Framer<Reply> };
  /** Default: everything passes. */
  readonly request?: Decide<Request>;
  readonly reply?: Decide<Reply>;
  /**
   * Decides about a connection that is asked for: `cut` closes it at once, `swallow` keeps it open with nobody behind
   * it; default pass.
   */
  readonly connection?: () => Treatment;
}

export interface TcpProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Connections open now. */
  readonly open: number;
  /** Breaks every connection, with a reset. New ones are accepted. */
  cut(): void;
  close(): Promise<void>;
}

/** Every read is a piece. */
export const unframed = () => {
  const whole: Framer<{ readonly bytes: Buffer }> = (bytes) => [{ bytes }];
  return { request: whole, reply: whole };
};

interface Pair {
  readonly number: number;
  readonly client: Socket;
  readonly server: Socket;
}

/** Breaks a connection as a network does: neither side sees an orderly end. */
function breakUp({ client, server }: Pair): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}

/** A reset would overtake the bytes before it, so whoever gets some sees an end after them. */
async function cutAfter(bytes: Buffer, pair: Pair, to: Socket): Promise<void> {
  (to === pair.client ? pair.server : pair.client).resetAndDestroy();
  if (bytes.length === 0) return void to.resetAndDestroy();
  await new Promise<void>((resolve) => to.once("close", resolve).end(bytes, resolve));
  to.destroy();
}

async function write(to: Socket, bytes: Buffer): Promise<void> {
  if (to.destroyed || bytes.length === 0) return;
  if (!to.write(bytes)) await Promise.race([once(to, "drain"), once(to, "close")]);
}

/** Forwards one direction until its end, a cut or an error. Reading waits for what is forwarded: nothing piles up. */
async function relay<Made extends { readonly bytes: Buffer }>(
  pair: Pair,
  [from, to]: readonly [Socket, Socket],
  framer: Framer<Made>,
  decide: Decide<Made>,
): Promise<void> {
  let swallowing = false;
  // By itself the loop would close a socket that has only ended its own half.
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    if (swallowing) continue;
    for (const made of framer(chunk as Buffer)) {
      const treatment = await decide({ ...made, connection: pair.number });
      if (treatment.kind === "swallow") swallowing = true;
      if (treatment.kind === "swallow") break;
      if (treatment.kind === "discard") continue;
      if (treatment.kind === "delay") await pause(treatment.milliseconds);
      if (treatment.kind === "cut") return cutAfter(made.bytes.subarray(0, treatment.after ?? 0), pair, to);
      const step = treatment.kind === "slice" ? treatment.bytes : made.bytes.length;
      for (let at = 0; at < made.bytes.length; at += step) {
        await write(to, made.bytes.subarray(at, at + step));
        // Without a turn of the loop between them the system would send them as one packet again.
        if (step < made.bytes.length) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
  if (!swallowing) to.end();
}

/**
 * A proxy between a client and any server of this machine that treats each piece of either direction as told. What it
 * holds back is in the network's hands: it arrives although its sender is gone, unless it is cut.
 */
export async function startTcpProxy<
  Request extends { readonly bytes: Buffer },
  Reply extends { readonly bytes: Buffer },
>(options: TcpProxyOptions<Request, Reply>): Promise<TcpProxy> {
  const pairs = new Map<number, Pair>();
  const unanswered = new Set<Socket>();
  let count = 0;
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on("error", () => {});
    const fate = options.connection?.() ?? passed;
    if (fate.kind === "cut") return void client.resetAndDestroy();
    if (fate.kind === "swallow") {
      unanswered.add(client);
      client.once("close", () => unanswered.delete(client)).resume();
      return;
    }
    count += 1;
    const number = count;
    const server = connect({ host: options.host, port: options.port, allowHalfOpen: true, noDelay: true });
    server.on("error", () => {});
    const pair: Pair = { number, client, server };
    pairs.set(number, pair);
    const { request, reply } = options.framing();
    const pass = () => passed;
    const ways = [
      relay(pair, [client, server], request, options.request ?? pass),
      relay(pair, [server, client], reply, options.reply ?? pass),
    ];
    // A reset of one side is one of the other; an orderly end is passed on by the relay itself.
    for (const way of ways) way.catch(() => breakUp(pair));
    void Promise.allSettled(ways).then(() => {
      pairs.delete(number);
      // What was swallowed had no end to pass on.
      client.destroySoon();
      server.destroySoon();
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const cut = () => {
    for (const pair of pairs.values()) breakUp(pair);
    for (const socket of unanswered) socket.resetAndDestroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    get open() {
      return pairs.size;
    },
    cut,
    async close() {
      const closed = once(listener, "close");
      listener.close();
      cut();
      await closed;
    },
  };
}
