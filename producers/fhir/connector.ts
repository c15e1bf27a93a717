import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Address, ConnectorDefinition, ReceiveContext, Receiver } from "../../engine/intake/connector.js";
import { credentialsIn } from "../../engine/reception/credentials.js";
import { loadDefinitions } from "./definitions.js";
import type { Desk } from "./desk.js";
import { startDroppedFiles } from "./dropped-files.js";
import { type Profile, profileSchema, versionsCountOnce } from "./profile.js";
import { type Puller, startPulling } from "./pull.js";
import { resending } from "./resending.js";
import { send } from "./send.js";
import { openServer } from "./server.js";

const version = "1";

async function listen(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { intake, settings, profiles, logger, now = Date.now } = context;
  loadDefinitions();
  let puller: Puller | undefined;
  const desk: Desk = {
    intake,
    profiles,
    now,
    askNow: (partner) => puller?.wake(partner) ?? false,
    onFailure: (error) => logger.error({ err: error }, "A resource could not be translated; it is kept as rejected"),
  };
  const inbox = resolve(settings.FHIR_INBOX ?? join(settings.TRIBUTARY_HOME, "fhir"));
  const folder = await startDroppedFiles(desk, {
    ...{ inbox, logger, lineLimit: settings.INTAKE_UNIT_LIMIT },
    interval: settings.CONNECTOR_STILL_SECONDS * 1000,
  });
  const server = await openServer(desk, context, version).catch(async (error: unknown) => {
    await folder.close();
    throw error;
  });
  puller = startPulling(desk, {
    inbox,
    logger,
    credentials: credentialsIn(settings.CONNECTOR_CREDENTIALS ?? join(settings.TRIBUTARY_HOME, "credentials")),
    lineLimit: settings.INTAKE_UNIT_LIMIT,
    pageLimit: settings.CONNECTOR_DECODED_LIMIT,
  });
  const dropped: Address[] = [...profiles.keys()].map((partner) => ({
    protocol: "file",
    url: pathToFileURL(join(inbox, partner, "in")).href,
    partner,
  }));
  return {
    addresses: [...server.addresses, ...dropped],
    async close() {
      await Promise.all([server.close(), folder.close(), puller?.close()]);
    },
  };
}

/** FHIR R4: patients, visits, claims and payments as events; every other resource checked and kept. */
const connector: ConnectorDefinition<Profile> = {
  name: "fhir",
  version,
  profile: profileSchema,
  // Nothing is asked of a partner's server to see how something is read; what a resend is stays as it was.
  rehearsal({ pull, ...profile }) {
    return { ...profile, versions: versionsCountOnce({ ...profile, pull }) ? "once" : "latest" };
  },
  receive: listen,
  send,
  resending,
};

export default connector;
