import type { ConnectorDefinition } from "../../../engine/intake/connector.js";
import { type Profile, profileSchema } from "./profile.js";
import { receive } from "./receive.js";
import { send } from "./send.js";

/** JSON over HTTP: one message a request, a patient in each. */
const connector: ConnectorDefinition<Profile> = {
  name: "example",
  // Raised when the same bytes would make other events.
  version: "1",
  profile: profileSchema,
  receive,
  send,
};

export default connector;
