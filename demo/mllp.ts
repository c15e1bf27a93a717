import { connect, type Socket } from "node:net";

const start = 0x0b;
const end = 0x1c;
const carriageReturn = 0x0d;

/** A message between the bytes of the minimal lower layer protocol (HL7 v2.5.1 implementation guide, appendix C). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 3);
  framed[0] = start;
  message.copy(framed, 1);
  framed[message.length + 1] = end;
  framed[message.length + 2] = carriageReturn;
  return framed;
}

/** Takes complete frames out of a stream of bytes, however it is cut. */
export function frameReader(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const from = rest.indexOf(start);
      const to = from < 0 ? -1 : rest.indexOf(end, from + 1);
      if (to < 0) return;
      onMessage(rest.subarray(from + 1, to));
      rest = rest.subarray(to + 1);
    }
  };
}

/** One connection to an MLLP server. */
export interface MllpConnection {
  send(message: Buffer): void;
  close(): void;
}

/**
 * Opens a connection.
 * @param address "mllp://host:port"
 * @param onAnswer called for each complete frame that comes back, in order
 * @param onClose called once when the connection ends, for whatever reason
 */
export function openMllp(
  address: string,
  onAnswer: (answer: Buffer) => void,
  onClose: () => void,
): Promise<MllpConnection> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      // What went wrong does not matter: a connection that ends is opened again.
      socket.on("error", () => socket.destroy());
      socket.on("data", frameReader(onAnswer));
      socket.once("close", onClose);
      resolve({ send: (message) => void socket.write(frame(message)), close: () => void socket.destroy() });
    });
  });
}
