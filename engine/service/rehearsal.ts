import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectorDefinition, Intake, Receiver } from "../intake/connector.js";
import { createLogger } from "./logger.js";
import { readSettings } from "./settings.js";

/** Profiles without what a partner proves itself with: nobody is let in here but who calls the command. */
function rehearsed(connector: ConnectorDefinition<unknown>, profiles: ReadonlyMap<string, unknown>) {
  return new Map(
    [...profiles].map(([partner, profile]) => {
      const open = { ...(profile as object), authentication: [] };
      return [partner, connector.rehearsal?.(open) ?? open] as const;
    }),
  );
}

/**
 * A connector as partners meet it, but for the one who calls: on free ports of this machine, without TLS and without
 * proofs, its inboxes in an empty folder that goes with it. Nothing of the installation's settings reaches it.
 * @param limits settings of how much is taken, by name; default: each as the schema has it.
 */
export async function openRehearsal(
  connector: ConnectorDefinition<unknown>,
  {
    intake,
    profiles,
    limits = {},
    now,
    remembers,
  }: {
    readonly intake: Intake;
    readonly profiles: ReadonlyMap<string, unknown>;
    readonly limits?: Readonly<Record<string, string>>;
    /** As in {@link ReceiveContext}. */
    readonly now?: () => number;
    /** As in {@link ReceiveContext}. */
    readonly remembers?: boolean;
  },
): Promise<Receiver> {
  const home = mkdtempSync(join(tmpdir(), "tributary-rehearsal-"));
  const leave = () => rmSync(home, { recursive: true, force: true });
  try {
    const receiver = await connector.receive({
      intake,
      settings: readSettings({ ...limits, TRIBUTARY_HOME: home }),
      profiles: rehearsed(connector, profiles),
      logger: createLogger("rehearsal", "silent"),
      ...(now && { now }),
      ...(remembers !== undefined && { remembers }),
    });
    return {
      addresses: receiver.addresses,
      async close() {
        await receiver.close();
        leave();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}
