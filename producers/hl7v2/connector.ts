import type { ConnectorDefinition } from "../../engine/intake/connector.js";
import { type Profile, profileSchema } from "./profile.js";
import { sendMllp } from "./send.js";
import { receiveMllp } from "./server.js";

/** HL7 v2 (2.1 to 2.9) over MLLP. */
const connector: ConnectorDefinition<Profile> = {
  name: "hl7v2",
  version: "1",
  profile: profileSchema,
  receive: receiveMllp,
  send: sendMllp,
};

export default connector;
