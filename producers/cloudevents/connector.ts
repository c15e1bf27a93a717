import type { ConnectorDefinition } from "../../engine/intake/connector.js";
import { type Profile, profileSchema } from "./profile.js";
import { resending } from "./resending.js";
import { send } from "./send.js";
import { mistakeIn, openServer } from "./server.js";

/** CloudEvents 1.0 over HTTP, for partners that tell facts in our own events. */
const connector: ConnectorDefinition<Profile> = {
  name: "cloudevents",
  version: "1",
  profile: profileSchema,
  mistakeIn,
  receive: openServer,
  send,
  resending,
};

export default connector;
