import type { Logger } from "pino";
import type { ReceiveContext } from "../../engine/intake/connector.js";
import { spool } from "../../engine/reception/byte-source.js";
import { type Answer, plainProblem } from "../../engine/reception/problem.js";
import { type Reception as OpenReception, openReception } from "../../engine/reception/reception.js";
import type { Settings } from "../../engine/service/settings.js";
import type { Profile } from "./profile.js";
import { type Desk, type Reception, receive } from "./reception.js";

/** Folder name, by which `CONNECTOR_PORTS` and `CONNECTOR_URLS` name it. */
const connector = "x12";

interface Taking {
  readonly logger: Logger;
  /** Largest body in bytes. */
  readonly limit: number;
  /** Answers given that are still being journalled. */
  readonly pending: Set<Promise<void>>;
}

/** The reception's settings, with those that X12 has of its own in their places. */
function receptionSettings(settings: Settings): Settings {
  const port = settings.X12_PORT === 0 ? settings.CONNECTOR_PORTS?.[connector] : settings.X12_PORT;
  return {
    ...settings,
    CONNECTOR_HOST: settings.X12_HOST,
    CONNECTOR_PORTS: port === undefined ? undefined : { [connector]: port },
    CONNECTOR_BODY_LIMIT: settings.X12_BODY_LIMIT,
    CONNECTOR_DECODED_LIMIT: Math.max(settings.X12_BODY_LIMIT, settings.CONNECTOR_DECODED_LIMIT),
  };
}

/**
 * Serves `POST /partners/<partner>/interchanges`: a body of one or more interchanges, answered by TA1 and 999 or 997 as
 * `application/edi-x12`. Status 200: everything accepted (204 when there is nothing to say); 422: something was rejected,
 * the body says what; 400: no interchange could be read to its end; 401: nothing proves the partner; 404, 413: partner
 * unknown, body too large; 503 with Retry-After: not durable, nothing was accepted.
 */
export async function openServer(
  desk: Desk,
  { settings, profiles, suspended, logger }: ReceiveContext<Profile>,
): Promise<Pick<OpenReception, "url" | "close">> {
  const given = receptionSettings(settings);
  const taking: Taking = { logger, limit: given.CONNECTOR_DECODED_LIMIT, pending: new Set() };
  const reception = await openReception<Profile>({
    connector,
    settings: given,
    profiles,
    suspended,
    logger,
    routes: [
      { method: "POST", path: "/interchanges", stream: ({ partner }, body) => take(desk, taking, partner, body) },
    ],
  });
  return {
    url: reception.url,
    async close() {
      await reception.close();
      await Promise.all(taking.pending);
    },
  };
}

/** Interchanges may be larger than the memory, so the body is taken as a stream. */
async function take(desk: Desk, taking: Taking, partner: string, body: AsyncIterable<Buffer>): Promise<Answer> {
  const source = await spool(body, { limit: taking.limit, tooLarge: "TRIB_RECEPTION_BODY_TOO_LARGE" });
  try {
    const reception = await receive(source, partner, desk);
    const { interchanges, problem } = reception.report;
    if (interchanges.length === 0 || (problem && reception.answer.length === 0)) {
      const facts = { reason: `X12_${problem?.code}`, offset: problem?.offset ?? 0 };
      return { status: 400, ...plainProblem("TRIB_X12_UNREADABLE", 400, facts) };
    }
    const left = () => remember(reception, partner, taking);
    const status = reception.accepted ? 200 : 422;
    if (reception.answer.length === 0) return { status: reception.accepted ? 204 : 422, left };
    return { status, type: "application/edi-x12", body: reception.answer, left };
  } finally {
    await source.release();
  }
}

/** The sender has its answer; keeping that it has may fail, which does no harm. */
function remember(reception: Reception, partner: string, { logger, pending }: Taking): void {
  const done = reception
    .answered()
    .catch((error: unknown) => logger.warn({ err: error, partner }, "An answer given could not be journalled"))
    .finally(() => pending.delete(done));
  pending.add(done);
}
