import { connect as connectPlain, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Address, SendLine, SendRequest } from "../../engine/intake/connector.js";
import { connectAsPartner, type PartnerProof } from "../../engine/reception/partner-client.js";
import { type TlsWatch, watchTls } from "../../engine/reception/tls-fault.js";
import { TributaryError } from "../../engine/service/errors.js";
import { frame, MllpFramer } from "./mllp.js";
import { readOutbox } from "./outbox.js";
import { patienceWith, readAcknowledgment } from "./receipt.js";

/**
 * Sends a file's messages as a partner would: over MLLP, each after the answer to the one before.
 * @throws TRIB_HL7V2_UNREACHABLE when nobody listens, or the connection is lost and can't be made again.
 * @throws TRIB_CLI_SERVER_UNTRUSTED, TRIB_CLI_CERTIFICATE_REFUSED when one side does not take the other's certificate.
 */
export async function* sendMllp(request: SendRequest): AsyncGenerator<SendLine> {
  const { messages, readable } = readOutbox(request.bytes);
  const { file } = request;
  if (messages.length === 0) {
    yield { file, index: null, controlId: null, accepted: false, code: "NO_UNIT", location: null, answer: null, ms: 0 };
    return;
  }
  const address = addressFor(request);
  const started = performance.now();
  let wire: Wire | undefined;
  try {
    for (const [index, message] of messages.entries()) {
      if (request.rate !== undefined) {
        const due = started + (index * 1000) / request.rate;
        if (due > performance.now()) await wait(due - performance.now());
      }
      const begun = performance.now();
      if (wire === undefined || wire.lost) wire = await Wire.open(address, request.proof);
      const answer = await wire.exchange(message);
      const ms = Math.round(performance.now() - begun);
      const receipt = readAcknowledgment(answer, message);
      yield { file, index: readable ? index : null, ...receipt, ms };
    }
  } finally {
    wire?.close();
  }
}

function addressFor({ addresses, partner }: SendRequest): Address {
  const overMllp = addresses.filter(({ url }) => /^mllps?:/.test(url));
  const address = overMllp.find((one) => one.partner === partner) ?? overMllp.find((one) => one.partner === undefined);
  if (address === undefined) throw new TributaryError("TRIB_HL7V2_UNREACHABLE");
  return address;
}

/** A connection that carries one exchange at a time. */
class Wire {
  readonly #socket: Socket;
  readonly #framer = new MllpFramer(Number.MAX_SAFE_INTEGER);
  readonly #answers: Buffer[] = [];
  readonly #tls: TlsWatch;
  #wake: () => void = () => {};
  #error: Error | undefined;
  #answered = false;
  lost = false;

  constructor(socket: Socket, tls: TlsWatch) {
    this.#socket = socket;
    this.#tls = tls;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      for (const piece of this.#framer.push(chunk)) if (piece.kind === "block") this.#answers.push(piece.bytes);
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => {
      this.lost = true;
      this.#wake();
    });
  }

  static async open(address: Address, proof?: PartnerProof): Promise<Wire> {
    const { hostname, port, protocol } = new URL(address.url);
    const host = hostname.replace(/^\[|\]$/g, "");
    const secure = protocol === "mllps:";
    const socket = secure ? connectAsPartner(host, Number(port), proof) : connectPlain({ host, port: Number(port) });
    const tls = watchTls(socket, address.url, proof?.certificate !== undefined);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(secure ? "secureConnect" : "connect", resolve);
        socket.once("error", reject);
      });
    } catch (cause) {
      const why = `Nobody answers at ${address.url}.`;
      throw (
        tls.fault(cause as Error) ??
        new TributaryError("TRIB_HL7V2_UNREACHABLE", why, { address: address.url }, { cause })
      );
    }
    return new Wire(socket, tls);
  }

  /**
   * Sends a message and waits for its answer: in enhanced mode the application acknowledgment, where one follows the CA.
   * @returns undefined when no answer came; then the connection is given up, since a late answer would be taken for the next.
   * @throws TRIB_CLI_CERTIFICATE_REFUSED when the server closes it on the client's certificate.
   */
  async exchange(message: Buffer): Promise<Buffer | undefined> {
    const { first, second } = patienceWith(message);
    this.#socket.write(frame(message));
    const answer = await this.#next(first);
    if (answer === undefined) {
      const fault = this.lost && !this.#answered ? this.#tls.fault(this.#error, true) : undefined;
      this.#socket.destroy();
      this.lost = true;
      if (fault) throw fault;
      return undefined;
    }
    this.#answered = true;
    const accepted = readAcknowledgment(answer, message).answer === "CA";
    return (accepted && second > 0 ? await this.#next(second) : undefined) ?? answer;
  }

  async #next(milliseconds: number): Promise<Buffer | undefined> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, milliseconds);
    while (this.#answers.length === 0 && !this.lost && !late) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    return this.#answers.shift();
  }

  close(): void {
    this.#socket.end();
  }
}
