import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { ConnectorDefinition, Receiver, SendLine } from "../intake/connector.js";
import { loadProfiles } from "../service/profiles.js";
import { readSettings } from "../service/settings.js";
import { type RecordingIntake, recordingIntake } from "./recording-intake.js";

/** A connector that listens, with an intake that keeps what it is given. */
export interface ConnectorBench {
  readonly intake: RecordingIntake;
  readonly receiver: Receiver;
  /** Names of its profiles. */
  readonly partners: readonly string[];
  /** Sends bytes as a partner would, over the connector's own protocol. */
  send(bytes: Buffer): Promise<SendLine[]>;
  close(): Promise<void>;
}

/** Sends bytes to where a connector listens, or listened. */
export async function sendTo(
  connector: ConnectorDefinition<unknown>,
  addresses: Receiver["addresses"],
  bytes: Buffer,
): Promise<SendLine[]> {
  const lines: SendLine[] = [];
  for await (const line of connector.send({ addresses, partner: "generic", file: "sample", bytes })) lines.push(line);
  return lines;
}

/**
 * Starts a connector on free ports, with its own profiles and a home of its own.
 * @param given profiles by partner name as their files would have them, instead of its own.
 */
export async function startConnectorBench(
  connector: ConnectorDefinition<unknown>,
  root?: string,
  given?: Readonly<Record<string, object>>,
): Promise<ConnectorBench> {
  const home = mkdtempSync(join(tmpdir(), `tributary-${connector.name}-`));
  const intake = recordingIntake();
  const profiles = given
    ? new Map(Object.entries(given).map(([name, profile]) => [name, connector.profile.parse(profile)]))
    : loadProfiles(connector, false, root);
  const receiver = await connector.receive({
    intake,
    settings: readSettings({ TRIBUTARY_HOME: home }),
    profiles,
    logger: pino({ level: "silent" }),
  });
  return {
    intake,
    receiver,
    partners: [...profiles.keys()],
    send: (bytes) => sendTo(connector, receiver.addresses, bytes),
    async close() {
      await receiver.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
