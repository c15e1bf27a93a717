import type { ConnectorDefinition } from "../../engine/intake/connector.js";
import { overlapOf } from "./overlap.js";
import { type Profile, profileSchema } from "./profile.js";
import { receiveHl7 } from "./receive.js";
import { sendMllp } from "./send.js";
import { takenAs } from "./taken-as.js";

/** HL7 v2 (2.1 to 2.9) over MLLP, over HTTP, and in dropped files. */
const connector: ConnectorDefinition<Profile> = {
  name: "hl7v2",
  version: "2",
  profile: profileSchema,
  // Who is known by nothing else is known by a port, here a free one.
  rehearsal: ({ certificate: _, port: __, ...profile }) => ({
    ...profile,
    ...(profile.match.length === 0 && { port: 0 }),
  }),
  overlap: overlapOf,
  receive: receiveHl7,
  send: sendMllp,
  takenAs,
};

export default connector;
