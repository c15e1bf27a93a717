import { createHash } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { arrivalOf, type BundleEntry, type BundleHead, FullUrls, readEntry } from "./bundle.js";
import { contextOf, type Desk, submitAll, type Told } from "./desk.js";
import { child, text, typeOf } from "./element.js";
import { nothingKeptOutcome } from "./outcome.js";
import { type Problem, statusOf, verdictCodeOf } from "./problem.js";
import { type ReadingContext, type ReadResource, readResource } from "./unit.js";

/** What became of a bundle. */
export interface BundleReception {
  /** Whole bundles are accepted or rejected as one; then these are the reasons. */
  readonly problems: readonly Problem[];
  /** One an entry; null for an entry that holds nothing for us. Empty when the bundle was rejected as a whole. */
  readonly entries: readonly (Told | null)[];
}

/** Entries journalled at once, and read between two breaths of the process. */
const batchEntries = 200;
const breathEntries = 20;
/** Bundles up to this size are kept in memory as read; larger ones are read again in the second pass. */
const keptBytes = 8_000_000;

/** Bundles that are taken as a whole or not at all. */
const whole = ({ type }: BundleHead): boolean => type === "transaction" || type === "message";

/**
 * Takes a bundle in. The first pass reads every entry: its address, and for a bundle that stands as a whole also its
 * verdict. The second journals them in order, between an entry for what surrounds them and a closing one.
 * @throws TRIB_INTAKE_UNAVAILABLE (retriable): nothing may be answered as accepted.
 */
export async function receiveBundle(
  bytes: Buffer,
  bundle: BundleHead,
  partner: string,
  desk: Desk,
): Promise<BundleReception> {
  const pass = new Pass(bytes, bundle, partner, desk);
  await pass.look();
  if (pass.problems.length > 0) await pass.rejectAll();
  const entries = await pass.journal();
  return pass.problems.length > 0 ? { problems: pass.problems, entries: [] } : { problems: [], entries };
}

class Pass {
  readonly problems: Problem[];
  readonly #bytes: Buffer;
  readonly #bundle: BundleHead;
  readonly #partner: string;
  readonly #desk: Desk;
  readonly #transmissionId: string;
  readonly #context: ReadingContext;
  readonly #addresses: FullUrls;
  readonly #kept: (ReadResource | null)[] = [];
  readonly #parsed: BundleEntry[] = [];
  #rejected: Problem | undefined;

  constructor(bytes: Buffer, bundle: BundleHead, partner: string, desk: Desk) {
    this.#bytes = bytes;
    this.#bundle = bundle;
    this.#partner = partner;
    this.#desk = desk;
    this.problems = [...bundle.problems];
    this.#transmissionId = desk.intake.newReceiptId();
    const context = contextOf(desk, partner);
    this.#addresses = new FullUrls(bundle.type, context.profile);
    this.#context = { ...context, sentAt: bundle.sentAt, urls: this.#addresses.urls };
  }

  get #keeps(): boolean {
    return this.#bytes.length <= keptBytes;
  }

  async look(): Promise<void> {
    const put = new Set<string>();
    for (const [index, span] of this.#bundle.spans.entries()) {
      if (index % batchEntries === batchEntries - 1) await breathe();
      const entry = readEntry(this.#bytes, span);
      if (this.#keeps) this.#parsed[index] = entry;
      if (!this.#addresses.add(entry))
        this.problems.push({ code: "invariant", place: `Bundle.entry[${index}].fullUrl` });
      const place = this.#bundle.type === "transaction" ? putTo(entry) : undefined;
      if (place !== undefined && put.has(place))
        this.problems.push({ code: "invariant", place: `Bundle.entry[${index}].request.url` });
      if (place !== undefined) put.add(place);
      if (index === 0 && this.#bundle.type === "message" && typeOf(entry.resource ?? {}) !== "MessageHeader")
        this.problems.push({ code: "invariant", place: "Bundle.entry[0].resource" });
    }
    if (!whole(this.#bundle) || this.problems.length > 0) return;
    for (let index = 0; index < this.#bundle.spans.length; index++) {
      if (index % breathEntries === breathEntries - 1) await breathe();
      const read = this.#read(index);
      if (this.#keeps) this.#kept[index] = read;
      if (read) this.#judge(read, index);
    }
  }

  /** An entry of a whole: one problem is a problem of all. */
  #judge({ unit, problems }: ReadResource, index: number): void {
    const place = `Bundle.entry[${index}].resource`;
    for (const problem of problems) this.problems.push({ ...problem, place: within(problem.place, place) });
    if (problems.length > 0) return;
    const verdict = this.#desk.intake.check(unit);
    if (!verdict.accepted) this.problems.push({ code: "too-long", place });
  }

  async rejectAll(): Promise<void> {
    this.#rejected = this.problems[0];
    this.#kept.length = 0;
  }

  #read(index: number): ReadResource | null {
    const kept = this.#kept[index];
    if (kept !== undefined) {
      delete this.#kept[index];
      return kept;
    }
    const span = this.#bundle.spans[index]!;
    const place = `Bundle.entry[${index}]`;
    const entry = this.#parsed[index] ?? readEntry(this.#bytes, span);
    const arrival = arrivalOf(entry, this.#bundle, place);
    if (!arrival) return null;
    const read = readResource(
      {
        ...arrival,
        bytes: this.#bytes.subarray(span.start, span.end),
        transport: { transmissionId: this.#transmissionId, ordinal: index + 1, byteOffset: span.start },
      },
      { ...this.#context, mixed: this.#addresses.mixed },
    );
    return this.#rejected && read.problems.length === 0 ? this.#fallen(read) : read;
  }

  /** Nothing is wrong with it, but with the bundle that it is part of. */
  #fallen(read: ReadResource): ReadResource {
    const { identity: _, ...unit } = read.unit;
    const code = "FHIR_BUNDLE_REJECTED";
    return { ...read, unit: { ...unit, verdict: { accepted: false, code, location: "Bundle" }, events: [] } };
  }

  async journal(): Promise<readonly (Told | null)[]> {
    const { spans } = this.#bundle;
    const entries: (Told | null)[] = [];
    let before: ReceivedUnit[] = [this.#envelope()];
    let units = 0;
    for (let start = 0; start < spans.length; start += batchEntries) {
      const batch: ReadResource[] = [];
      const places: number[] = [];
      for (let index = start; index < Math.min(start + batchEntries, spans.length); index++) {
        if (index % breathEntries === breathEntries - 1) await breathe();
        const read = this.#read(index);
        entries[index] = null;
        if (!read) continue;
        batch.push(read);
        places.push(index);
      }
      const verdicts = await submitAll(this.#desk, batch, before);
      before = [];
      units += batch.length;
      for (const [at, index] of places.entries()) entries[index] = verdicts[at]!;
    }
    await this.#desk.intake.submit([...before, this.#closing(units)]);
    return entries;
  }

  #around(entry: "ENVELOPE" | "CLOSING"): Omit<ReceivedUnit, "bytes"> {
    const { id, meta } = { id: text(this.#bundle.head, "id"), meta: child(this.#bundle.head, "meta") };
    const version = text(meta, "versionId");
    const rejected = this.#rejected;
    return {
      entry,
      partner: this.#partner,
      feed: this.#partner,
      format: "Bundle",
      verdict: rejected
        ? { accepted: false, code: verdictCodeOf(rejected.code), location: "Bundle" }
        : { accepted: true },
      answer: (given) => (given.accepted ? "200" : String(rejected ? statusOf(rejected) : 422)),
      sealFor: [],
      events: [],
      ...(id !== undefined &&
        version !== undefined && { controlId: { scope: [this.#partner, "Bundle", version], value: id } }),
    };
  }

  #envelope(): ReceivedUnit {
    return {
      ...this.#around("ENVELOPE"),
      bytes: this.#bundle.skeleton,
      transport: { transmissionId: this.#transmissionId, ordinal: 0, byteOffset: 0 },
    };
  }

  #closing(units: number): ReceivedUnit {
    const content = [createHash("sha256").update(this.#bytes).digest()];
    return {
      ...this.#around("CLOSING"),
      bytes: new Uint8Array(0),
      transport: {
        transmissionId: this.#transmissionId,
        ordinal: this.#bundle.spans.length + 1,
        byteOffset: this.#bytes.length,
      },
      closing: { entries: units + 1, units, bytes: this.#bytes.length, content },
    };
  }
}

/** Where an entry is put: in a transaction, whose entries have no order, two are never put to one place (FHIR R4, 3.1.0.11.2). */
function putTo({ entry }: BundleEntry): string | undefined {
  const request = child(entry, "request");
  return text(request, "method") === "PUT" ? text(request, "url")?.replace(/^\//, "") : undefined;
}

/** `Patient.birthDate` of an entry, as a place in its bundle. */
function within(place: string, entry: string): string {
  if (place.startsWith("Bundle.")) return place;
  const dot = place.indexOf(".");
  return dot < 0 ? entry : `${entry}${place.slice(dot)}`;
}

/** An entry's verdict in a response bundle. */
export function responseEntry(verdict: Told | null, base: string): object {
  const { status, outcome, name } = verdict ?? { status: 200, outcome: nothingKeptOutcome, name: undefined };
  const words = status === 201 ? "201 Created" : status === 200 ? "200 OK" : String(status);
  const location = name !== undefined && status < 300 ? { location: `${base}/${name}` } : {};
  return { response: { status: words, ...location, outcome } };
}
