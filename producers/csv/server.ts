import { Readable } from "node:stream";
import type { ReceiveContext } from "../../engine/intake/connector.js";
import { spool } from "../../engine/reception/byte-source.js";
import type { Answer } from "../../engine/reception/problem.js";
import { type Reception as OpenReception, openReception } from "../../engine/reception/reception.js";
import type { Profile } from "./profile.js";
import { type Desk, receive } from "./reception.js";

/**
 * Serves `POST /partners/<partner>`: a file, answered by a line of JSON a row and one for the file
 * (`application/x-ndjson`). 200: every row accepted; 422: some were not, the body says which and why.
 */
export function openServer(desk: Desk, context: ReceiveContext<Profile>): Promise<OpenReception> {
  const { settings, profiles, suspended, logger } = context;
  return openReception({
    connector: "csv",
    settings,
    profiles,
    suspended,
    logger,
    routes: [
      {
        method: "POST",
        path: "",
        stream: ({ partner }, body) => take(desk, partner, body, settings.CONNECTOR_DECODED_LIMIT),
      },
    ],
  });
}

async function take(desk: Desk, partner: string, body: AsyncIterable<Buffer>, limit: number): Promise<Answer> {
  const source = await spool(body, { limit, tooLarge: "TRIB_RECEPTION_BODY_TOO_LARGE" });
  try {
    const { accepted, answer } = await receive(source, partner, desk);
    const release = () => void answer.release();
    return {
      status: accepted ? 200 : 422,
      type: "application/x-ndjson",
      body: Readable.from(answer.verdicts.content()).once("close", release),
    };
  } finally {
    await source.release();
  }
}
