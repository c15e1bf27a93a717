import type { ReceiveContext } from "../../engine/intake/connector.js";
import type { Answer } from "../../engine/reception/problem.js";
import { openReception, type PartnerRequest, type Reception } from "../../engine/reception/reception.js";
import { TributaryError } from "../../engine/service/errors.js";
import type { Profile } from "./profile.js";
import { readTransmission } from "./transmission.js";

/** Media type of HL7 v2 in its own delimiters over HTTP (HAPI's HL7 over HTTP, 1.0). */
const ER7 = "x-application/hl7-v2+er7";
/** What senders call it beside that; other bodies are another partner's mistake. */
const KNOWN = new Set([
  ER7,
  "application/hl7-v2",
  "application/hl7-v2+er7",
  "text/plain",
  "application/octet-stream",
  "",
]);

/**
 * Takes messages over HTTP: `POST /partners/<partner>` with a message, or a batch, in ER7. The answer is the
 * acknowledgment: 200 accepted, 422 an error, 400 rejected, 503 to be sent again, 204 where the sender wants none.
 */
export function openHl7Reception(context: ReceiveContext<Profile>): Promise<Reception> {
  const { settings, profiles, suspended, logger } = context;
  return openReception({
    connector: "hl7v2",
    settings,
    profiles,
    suspended,
    logger,
    routes: [{ method: "POST", path: "", take: (request, body) => take(request, body, context) }],
  });
}

async function take(
  { partner, mediaType }: PartnerRequest<Profile>,
  body: Buffer,
  { intake, profiles, logger, now = Date.now }: ReceiveContext<Profile>,
): Promise<Answer> {
  if (!KNOWN.has(mediaType)) throw new TributaryError("TRIB_RECEPTION_MEDIA_TYPE");
  const reading = {
    profiles,
    surrogate: intake.surrogate,
    receivedAt: now(),
    bound: partner,
    onFailure: (error: unknown) => logger.error({ err: error }, "a message could not be translated: rejected and kept"),
  };
  const { units, answer } = readTransmission(body, reading, () => intake.newReceiptId());
  try {
    const journalled = await intake.submit(units);
    const refused = journalled.flatMap(({ verdict }, index) =>
      units[index]?.entry === "UNIT" && !verdict.accepted ? [units[index].answer(verdict)] : [],
    );
    const status = refused.length === 0 ? 200 : refused.every((code) => /[AC]R/.test(code)) ? 400 : 422;
    return acknowledged(status, answer(journalled));
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error;
    logger.warn({ err: error, code: error.code, partner, units: units.length }, "not durable: to be sent again");
    return { ...acknowledged(503, answer(undefined)), headers: { "retry-after": "5" } };
  }
}

function acknowledged(status: number, answers: readonly Buffer[]): Answer {
  if (answers.length === 0) return { status: status === 200 ? 204 : status };
  return { status, type: ER7, body: Buffer.concat(answers) };
}
