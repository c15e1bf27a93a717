import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Address, ReceiveContext, Receiver } from "../../engine/intake/connector.js";
import type { Settings } from "../../engine/service/settings.js";
import { Allowance } from "./allowance.js";
import { type Connection, serve } from "./connection.js";
import { Handshakes } from "./handshakes.js";
import { certificatesOf, type Profile } from "./profile.js";
import { type Identity, suspendedOf } from "./suspended.js";

/** Pause before a port of a partner that could not be had is tried again. */
const PORT_MILLISECONDS = 1_000;

/** Longest time in which a TLS connection has to be made. */
const HANDSHAKE_MILLISECONDS = 20_000;

/** Certificates of the server, read once. */
interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

function readTls(settings: Settings): Tls | undefined {
  const { HL7V2_TLS_CERT_FILE: cert, HL7V2_TLS_KEY_FILE: key, HL7V2_TLS_CA_FILE: ca } = settings;
  if (cert === undefined || key === undefined) return undefined;
  return { cert: readFileSync(cert), key: readFileSync(key), ...(ca !== undefined && { ca: readFileSync(ca) }) };
}

/** The partner whose client certificate this is: whose profile has its fingerprint, else one of its names. */
function certified(socket: Socket, profiles: ReadonlyMap<string, Identity>): string | undefined {
  const shown = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  const owner = (name: string | undefined) =>
    [...profiles].find(([, { certificate }]) => name !== undefined && certificatesOf(certificate).includes(name))?.[0];
  return (
    owner(shown?.fingerprint256) ??
    [shown?.subject?.CN]
      .flat()
      .map(owner)
      .find((one) => one !== undefined)
  );
}

/**
 * The partner that a connection belongs to. A certificate tells more than a port: whoever shows a partner's is that one
 * on any port, and the port of a partner that has a certificate proves nothing without it.
 */
function ownerOf(socket: Socket, portOwner: string | undefined, profiles: ReadonlyMap<string, Identity>) {
  const named = certified(socket, profiles);
  if (named !== undefined || portOwner === undefined) return named;
  return profiles.get(portOwner)?.certificate === undefined ? portOwner : undefined;
}

/**
 * Listens for MLLP, over TLS where the settings name a certificate: one port for all partners, and one more for each
 * profile that names its own.
 * @returns when partners can connect.
 */
export async function receiveMllp(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { settings, profiles, logger, intake, now = Date.now } = context;
  const suspended = suspendedOf(context.suspended);
  const tls = readTls(settings);
  const connections = new Set<Connection>();
  const handshakes = new Handshakes();
  const allowance = new Allowance(settings.HL7V2_BYTES_IN_HAND);
  const blockLimit = Math.max(...[...profiles.values()].map(({ messageLimit }) => messageLimit), 1);
  let closing = false;

  function accept(socket: Socket, portOwner: string | undefined): void {
    if (connections.size >= settings.HL7V2_CONNECTIONS) {
      logger.warn({ connections: connections.size }, "one connection too many");
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const connection = serve(socket, {
      intake,
      profiles,
      suspended,
      logger,
      bound: ownerOf(socket, portOwner, new Map<string, Identity>([...profiles, ...(suspended?.known ?? [])])),
      blockLimit: Math.min(blockLimit, settings.INTAKE_UNIT_LIMIT),
      blockTime: settings.HL7V2_BLOCK_SECONDS * 1000,
      allowance,
      now,
    });
    connections.add(connection);
    socket.setTimeout(settings.HL7V2_IDLE_SECONDS * 1000, connection.idle);
    socket.on("close", () => connections.delete(connection));
    if (closing) void connection.close();
  }

  const servers: Server[] = [];
  const addresses: Address[] = [];
  async function listen(port: number, partner: string | undefined): Promise<void> {
    // Half-open, so that a partner that has sent its last message still gets its last answers.
    const server = tls
      ? createTlsServer(
          {
            ...tls,
            allowHalfOpen: true,
            requestCert: tls.ca !== undefined,
            rejectUnauthorized: tls.ca !== undefined,
            handshakeTimeout: HANDSHAKE_MILLISECONDS,
          },
          (socket) => accept(socket, partner),
        )
      : createServer({ allowHalfOpen: true }, (socket) => accept(socket, partner));
    if (tls) handshakes.watch(server);
    server.on("tlsClientError", (error: Error, socket: Socket) => {
      logger.warn({ err: error }, "no TLS connection with a client: one side does not take the other's certificate");
      socket.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, settings.HL7V2_HOST, () => {
        server.off("error", reject);
        resolve();
      });
    });
    if (closing) server.close();
    servers.push(server);
    const bound = server.address();
    const actual = typeof bound === "object" && bound !== null ? bound.port : port;
    const host = settings.HL7V2_HOST.includes(":") ? `[${settings.HL7V2_HOST}]` : settings.HL7V2_HOST;
    addresses.push({
      protocol: "mllp",
      url: `${tls ? "mllps" : "mllp"}://${host}:${actual}`,
      ...(partner !== undefined && { partner }),
    });
  }

  /** A port that can't be had is the trouble of its partner alone: all others are served, and it is tried again. */
  async function listenFor(partner: string, port: number, isFirst = true): Promise<void> {
    if (closing) return;
    try {
      await listen(port, partner);
      if (!isFirst) logger.info({ partner }, "the partner's own port is listened on now");
    } catch (error) {
      if (isFirst) logger.error({ err: error, partner }, "the partner's own port can't be had; it is tried again");
      setTimeout(() => void listenFor(partner, port, false), PORT_MILLISECONDS).unref();
    }
  }

  async function close(): Promise<void> {
    closing = true;
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    handshakes.end();
    await Promise.all([...connections].map((connection) => connection.close()));
    await Promise.all(closed);
  }

  try {
    await listen(settings.HL7V2_PORT, undefined);
    for (const [partner, profile] of profiles) if (profile.port !== undefined) await listenFor(partner, profile.port);
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, close };
}
