import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Address, ReceiveContext, Receiver } from "../../engine/intake/connector.js";
import { startDroppedFiles } from "./dropped-files.js";
import type { Profile } from "./profile.js";
import { openHl7Reception } from "./reception.js";
import { receiveMllp } from "./server.js";

/** Listens on every way in: MLLP, HTTP, and the partners' drop folders. */
export async function receiveHl7(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { settings } = context;
  const inbox = resolve(settings.HL7V2_INBOX ?? join(settings.TRIBUTARY_HOME, "hl7v2"));
  const mllp = await receiveMllp(context);
  const opened: { close(): Promise<void> }[] = [mllp];
  const close = async () => {
    await Promise.all(opened.map((way) => way.close()));
  };
  try {
    const http = await openHl7Reception(context);
    opened.push(http);
    opened.push(
      await startDroppedFiles(context, {
        ...{ inbox, limit: settings.HL7V2_FILE_LIMIT },
        interval: settings.CONNECTOR_STILL_SECONDS * 1000,
      }),
    );
    const dropped: Address[] = [...context.profiles.keys()].map((partner) => ({
      protocol: "file",
      url: pathToFileURL(join(inbox, partner, "in")).href,
      partner,
    }));
    return { addresses: [...mllp.addresses, ...http.addresses, ...dropped], close };
  } catch (error) {
    await close();
    throw error;
  }
}
