import { createHash } from "node:crypto";
import type { Intake, ReceiveContext, ReceivedUnit, Receiver } from "../../engine/intake/connector.js";
import { fingerprintOf } from "../../engine/log/fingerprint.js";
import { plainReader } from "../../engine/log/plain-reader.js";
import { rootRecords } from "../../engine/log/schemas.js";
import { committedVersions } from "../../engine/log/versions.js";
import type { Answer } from "../../engine/reception/problem.js";
import { openReception, type PartnerRequest } from "../../engine/reception/reception.js";
import { TributaryError } from "../../engine/service/errors.js";
import { schemaPath, writersOf } from "./data-schema.js";
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
  /** What to do, where that isn't said by code and place. */
  readonly remedy?: string;
}

/** What readings of events are made with, the same for all partners. */
type Library = Pick<UnitContext, "forms" | "writers" | "readAvro">;

/** The forms of all types, and how data of any version of them is read. */
export function openLibrary(): Library {
  const records = rootRecords();
  const committed = committedVersions();
  const forms = formsOf(records);
  const writers = new Map([...forms].map(([type, form]) => [type, writersOf(form, records, committed)]));
  const readers = new Map<string, (bytes: Buffer) => unknown>();
  const readerOf = (form: Form, fingerprint: string) => {
    const made = readers.get(fingerprint) ?? plainReader(form.schema, writers.get(form.type)?.get(fingerprint));
    readers.set(fingerprint, made);
    return made;
  };
  const readAvro = (form: Form, fingerprint: string, bytes: Buffer): unknown => {
    const read = readerOf(form, fingerprint);
    try {
      return read(bytes);
    } catch {
      return undefined;
    }
  };
  return { forms, writers, readAvro };
}

/** Where a profile names a schema that isn't known here. */
export function mistakeIn({ schemas }: Profile): string | undefined {
  const named = Object.values(schemas);
  if (named.length === 0) return undefined;
  const known = new Set([...openLibrary().writers.values()].flatMap((each) => [...each.keys()]));
  const index = named.findIndex((fingerprint) => !known.has(fingerprint));
  return index < 0 ? undefined : `schemas: value ${index + 1} is no schema that is known here`;
}

/**
 * Serves `POST /partners/<partner>`: an event or a batch, each with a verdict of its own. 200: all accepted; 422: some
 * were not; the body says which and why. `GET /partners/<partner>/schemas` lists the types and the schemas of their data,
 * and each schema, of whatever version, is at the address that names it.
 */
export function openServer(context: ReceiveContext<Profile>): Promise<Receiver> {
  const library = openLibrary();
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
        take: (request, body) => take(request, body, intake, { ...library, surrogate: intake.surrogate }),
      },
    ],
    shown: [
      { path: "/schemas", show: (base) => shown(schemasOf(library, base)) },
      {
        path: schemaPath(":type", ":fingerprint"),
        show: (_, { type = "", fingerprint = "" }) => shown(library.writers.get(type)?.get(fingerprint)),
      },
    ],
  });
}

const shown = (body: unknown): Answer | undefined =>
  body === undefined ? undefined : { status: 200, type: "application/json", body: JSON.stringify(body) };

/** Every type with the schema of its data as it is now, and the `dataschema` that names it. */
const schemasOf = ({ forms }: Library, base: string) =>
  [...forms.values()].map(({ type, schema }) => {
    return { type, dataschema: `${base}${schemaPath(type, fingerprintOf(schema))}`, schema };
  });

const nameYourSchema = "Say as dataschema which schema the data was written with: one that is listed at";
const remedied: ReadonlySet<string> = new Set(["CE_SCHEMA_MISSING", "CE_SCHEMA_UNKNOWN"]);

async function take(
  { partner, profile, headers, mediaType, base }: PartnerRequest<Profile>,
  body: Buffer,
  intake: Intake,
  made: Library & Pick<UnitContext, "surrogate">,
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
    const remedy = remedied.has(verdict.code) ? { remedy: `${nameYourSchema} ${base}/schemas.` } : {};
    return { id, source, accepted: false, code: verdict.code, location: verdict.location ?? "data", ...remedy };
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
