import type { Server, Socket } from "node:net";

/**
 * TLS connections of a server that are not made yet. Of a client that hangs up in between, as one does that does not take
 * the server's certificate, a half-open server hears nothing: it would wait for it when it closes.
 */
export class Handshakes {
  readonly #waiting = new Map<string, Socket>();

  watch(server: Server): void {
    server.on("connection", (socket: Socket) => {
      const name = nameOf(socket);
      this.#waiting.set(name, socket);
      socket.once("close", () => this.#forget(name, socket));
    });
    // It is another socket by then, over the same connection.
    server.on("secureConnection", (socket: Socket) => this.#waiting.delete(nameOf(socket)));
  }

  #forget(name: string, socket: Socket): void {
    if (this.#waiting.get(name) === socket) this.#waiting.delete(name);
  }

  /** Ends them. */
  end(): void {
    for (const socket of this.#waiting.values()) socket.destroy();
  }
}

const nameOf = ({ remoteAddress, remotePort, localPort }: Socket) => `${remoteAddress} ${remotePort} ${localPort}`;
