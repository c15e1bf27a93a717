import type { ReceiveContext, Receiver } from "../../../engine/intake/connector.js";
import type { Answer } from "../../../engine/reception/problem.js";
import { openReception, type PartnerRequest } from "../../../engine/reception/reception.js";
import type { Profile } from "./profile.js";
import { statusOf, translate } from "./translate.js";

/**
 * Serves `POST /partners/<partner>`: 200 accepted, 422 rejected with code and place; both only when the journal has it.
 * The reception does the rest: who is let in (401), limits (413), and 503 when nothing is durable.
 */
export function receive(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { settings, profiles, suspended, logger } = context;
  return openReception({
    // Folder name: `CONNECTOR_PORTS` names the port by it.
    connector: "example",
    settings,
    profiles,
    suspended,
    logger,
    routes: [{ method: "POST", path: "", take: (request, body) => take(context, request, body) }],
  });
}

async function take(
  { intake }: ReceiveContext<Profile>,
  { partner, profile }: PartnerRequest<Profile>,
  body: Buffer,
): Promise<Answer> {
  const unit = translate(body, { partner, profile, surrogate: intake.surrogate });
  const [submitted] = await intake.submit([unit]);
  // The journal has the last word: a unit over its limit is rejected there.
  const verdict = submitted?.verdict ?? unit.verdict;
  return { status: Number(statusOf(verdict)), type: "application/json", body: JSON.stringify(verdict) };
}
