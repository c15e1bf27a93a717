import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Address, ConnectorDefinition, ReceiveContext, Receiver } from "../../engine/intake/connector.js";
import { startDroppedFiles } from "./dropped-files.js";
import { type Profile, profileSchema } from "./profile.js";
import type { Desk } from "./reception.js";
import { send } from "./send.js";
import { openServer } from "./server.js";

async function listen(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { intake, settings, profiles, logger, now = Date.now } = context;
  const desk: Desk = { intake, profiles, now };
  const inbox = resolve(settings.CSV_INBOX ?? join(settings.TRIBUTARY_HOME, "csv"));
  const folder = await startDroppedFiles(desk, { inbox, logger, interval: settings.CONNECTOR_STILL_SECONDS * 1000 });
  const server = await openServer(desk, context);
  const dropped: Address[] = [...profiles.keys()].map((partner) => ({
    protocol: "file",
    url: pathToFileURL(join(inbox, partner, "in")).href,
    partner,
  }));
  return {
    addresses: [...server.addresses, ...dropped],
    async close() {
      await Promise.all([server.close(), folder.close()]);
    },
  };
}

/** CSV: patients, visits and payments, a row each, as the partner's profile maps its columns. */
const connector: ConnectorDefinition<Profile> = {
  name: "csv",
  version: "1",
  profile: profileSchema,
  receive: listen,
  send,
};

export default connector;
