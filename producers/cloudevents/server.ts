import { createHash } from "node:crypto";
import type { Intake, ReceiveContext, ReceivedUnit, Receiver } from "../../engine/intake/connector.js";
import { plainReader } from "../../engine/log/plain-reader.js";
import { rootRecords } from "../../engine/log/schemas.js";
import type { Answer } from "../../engine/reception/problem.js";
import { openReception, type PartnerRequest } from "../../engine/reception/reception.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type Form, formsOf } from "./form.js";
import type { Profile } from "./profile.js";
import { type ReceivedRequest, readRequest } from "./request.js";
import { type EventUnit, feedOf, type UnitContext, unitOf } from "./unit.js";

/** What an event was answered. */
export interface EventAnswer {
  readonly id: string | null;
  readonly source: string | null;
  readonly accepted: boolean;
  readonly code?: string;
  readonly location?: string;
}

/**
 * Serves `POST /partners/<partner>`: an event or a batch, each with a verdict of its own. 200: all accepted; 422: some
 * were not; the body says which and why. `GET /partners/<partner>/schemas` lists the types and the schemas of their data.
 */
export function openServer(context: ReceiveContext<Profile>): Promise<Receiver> {
  const forms = formsOf(rootRecords());
  const readers = new Map([...forms.values()].map((form) => [form.type, plainReader(form.schema)]));
  const readAvro = (form: Form, bytes: Buffer): unknown => {
    try {
      return readers.get(form.type)?.(bytes);
    } catch {
      return undefined;
    }
  };
  const schemas = JSON.stringify([...forms.values()].map(({ type, schema }) => ({ type, schema })));
  const { intake, settings, profiles, suspended, logger } = context;
  return openReception({
    connector: "cloudevents",
    settings,
    profiles,
    suspended,
    logger,
    routes: [
      {
        method: "POST",
        path: "",
        take: (request, body) => take(request, body, intake, { forms, readAvro, surrogate: intake.surrogate }),
      },
    ],
    shown: [{ path: "/schemas", show: () => ({ status: 200, type: "application/json", body: schemas }) }],
  });
}

async function take(
  { partner, profile, headers, mediaType }: PartnerRequest<Profile>,
  body: Buffer,
  intake: Intake,
  made: Pick<UnitContext, "forms" | "readAvro" | "surrogate">,
): Promise<Answer> {
  const request = readRequest(headers, mediaType, body, profile.batchLimit);
  if (!request) throw new TributaryError("TRIB_RECEPTION_MEDIA_TYPE");
  const context: UnitContext = { ...made, partner, profile };
  const units = request.events.map(({ event, bytes }) => unitOf(event, bytes, context));
  const entries = entriesOf(units, request, body, context, intake.newReceiptId());
  const submitted = await intake.submit(entries);
  const answers = units.map(({ id, source, unit }, index): EventAnswer => {
    const verdict = submitted[index]?.verdict ?? unit.verdict;
    if (verdict.accepted) return { id, source, accepted: true };
    return { id, source, accepted: false, code: verdict.code, location: verdict.location ?? "data" };
  });
  return {
    status: answers.every(({ accepted }) => accepted) ? 200 : 422,
    type: "application/json",
    body: JSON.stringify(request.batch ? answers : answers[0]),
  };
}

/** The units, and for a batch what stands between them and the entry that makes it complete. */
function entriesOf(
  units: readonly EventUnit[],
  { events, batch, rest }: ReceivedRequest,
  body: Buffer,
  { partner, profile }: UnitContext,
  transmissionId: string,
): readonly ReceivedUnit[] {
  if (!batch) return units.map(({ unit }) => unit);
  const transport = (ordinal: number, byteOffset: number) => ({ transmissionId, ordinal, byteOffset });
  const around = {
    partner,
    feed: feedOf(partner, profile),
    format: "CloudEvent batch",
    verdict: { accepted: true as const },
    answer: () => "200",
    sealFor: [],
    events: [],
  };
  const entries: ReceivedUnit[] = units.map(({ unit }, index) => {
    return { ...unit, transport: transport(index, events[index]?.offset ?? 0) };
  });
  if (rest) entries.push({ ...around, entry: "ENVELOPE", bytes: rest, transport: transport(entries.length, 0) });
  const closing = {
    entries: entries.length,
    units: units.length,
    bytes: body.length,
    content: [createHash("sha256").update(body).digest()],
  };
  const bytes = new Uint8Array(0);
  return [
    ...entries,
    { ...around, entry: "CLOSING", bytes, transport: transport(entries.length, body.length), closing },
  ];
}
