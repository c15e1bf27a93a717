import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Address, ConnectorDefinition, ReceiveContext, Receiver } from "../../engine/intake/connector.js";
import { startDroppedFiles } from "./dropped-files.js";
import { overlapOf } from "./partner.js";
import { type Profile, profileSchema } from "./profile.js";
import { RecentInterchanges } from "./recent.js";
import type { Desk } from "./reception.js";
import { send } from "./send.js";
import { openServer } from "./server.js";

async function listen(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { intake, settings, profiles, suspended, logger, remembers = true } = context;
  const desk: Desk = {
    intake,
    profiles,
    ...(suspended && { suspended }),
    unitLimit: settings.INTAKE_UNIT_LIMIT,
    recent: new RecentInterchanges(remembers ? undefined : 0),
    now: () => new Date(),
  };
  const inbox = resolve(settings.X12_INBOX ?? join(settings.TRIBUTARY_HOME, "x12"));
  const folder = await startDroppedFiles(desk, { inbox, logger, interval: settings.CONNECTOR_STILL_SECONDS * 1000 });
  const server = await openServer(desk, context).catch(async (error: unknown) => {
    await folder.close();
    throw error;
  });
  const addresses: Address[] = [{ protocol: new URL(server.url).protocol.slice(0, -1), url: server.url }];
  for (const partner of profiles.keys()) {
    const url = `${server.url}/partners/${encodeURIComponent(partner)}/interchanges`;
    addresses.push({ protocol: new URL(url).protocol.slice(0, -1), url, partner });
    addresses.push({ protocol: "file", url: pathToFileURL(join(inbox, partner, "in")).href, partner });
  }
  return {
    addresses,
    async close() {
      await Promise.all([server.close(), folder.close()]);
    },
  };
}

/** X12: claims (837) and remittances (835) as units and events; every other set kept and acknowledged. */
const connector: ConnectorDefinition<Profile> = {
  name: "x12",
  version: "1",
  profile: profileSchema,
  overlap: overlapOf,
  receive: listen,
  send,
};

export default connector;
