import type { EventType } from "../../schemas/events.generated.js";
import type { JournalEntry, JournalledEvent } from "../../schemas/intake/intake.generated.js";
import type { LogProducer } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import { TributaryError } from "../service/errors.js";
import { type DataKey, keyText } from "../vault/data-key.js";
import { erasedSince } from "../vault/erased-since.js";
import { keyOfSealedEvent, openEvent, sealEvent } from "../vault/sealed-event.js";
import type { Vault } from "../vault/vault.js";
import type { EventDraft, ReceivedUnit, Resending } from "./connector.js";
import { decodeEntries } from "./decode-entries.js";
import { engineRecord } from "./engine-entry.js";
import { finishEvents } from "./finish-events.js";
import { identityHash, resourceHash } from "./journal-record.js";
import { type ContentHash, contentHash, type KeyedHash, keyedHash, uuidOf } from "./keyed-hash.js";
import { knownIdentities } from "./ledger.js";
import { openUnits } from "./opened-units.js";
import { type PlacedUnit, publishedUpTo, readTranslations, type Translations } from "./standing-facts.js";
import { assertPartitions } from "./topic-partitions.js";
import {
  addChanges,
  type ComparedEvent,
  comparedEvent,
  drafted,
  madeEvents,
  type TypeChanges,
} from "./translation-comparison.js";
import { type JournalSource, readTransmissions, type Transmission } from "./transmissions.js";

/**
 * The clock of connectors that translate again. Where a sender gives an event no time, the event has that of its
 * reception: this stands for it, until the first translation tells when that was.
 */
export const untoldTime = Date.UTC(1900, 0, 1, 0, 0, 0, 1);

/** What the present version of a connector makes of bytes, all units of them in order; nothing is stored. */
export interface Translator {
  readonly version: string;
  /** How what is in the journal is sent; absent: its parts one after another. */
  readonly resending?: Resending;
  /** @param way of sending, where `resending` names one. */
  translate(partner: string, bytes: Buffer, way?: string): Promise<readonly ReceivedUnit[]>;
}

export interface RetranslateOptions extends JournalSource {
  /** Of who may open units. */
  readonly vault: Vault;
  /** Deployment secret, 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
  readonly secret: string;
  readonly translator: (connector: string) => Promise<Translator>;
  readonly filter: {
    readonly partner?: string | undefined;
    readonly connector?: string | undefined;
    /** Units rejected with this code; default the accepted ones. */
    readonly code?: string | undefined;
    /** Received at or after, epoch milliseconds. */
    readonly since?: number | undefined;
    /** Received before. */
    readonly until?: number | undefined;
  };
  readonly reason: string;
  /** Write nothing. */
  readonly dryRun: boolean;
  /** Most bytes of one encoded event; default 900,000. */
  readonly eventLimit?: number;
  /** Most milliseconds by which clocks differ; default 0. See {@link erasedSince}. */
  readonly clockSkew?: number;
  /** Told after each unit that differs was written. */
  readonly onWritten?: () => void;
}

export interface Retranslated {
  /** Units looked at. */
  readonly units: number;
  /** Among them: translated otherwise now. */
  readonly changed: number;
  /** Not opened, or not told: a patient of theirs was erased. */
  readonly erased: number;
  /**
   * Not found again in what the connector makes of their transmission; or of one of which the journal does not have all,
   * as it was cut off; or refused with an event that can't be encoded.
   */
  readonly unmatched: number;
  /** Rejected once, and since then sent again and accepted. */
  readonly resent: number;
  readonly byType: Readonly<Partial<Record<EventType, TypeChanges>>>;
}

/**
 * Translates units of the journal again, with the translations as they are now. Where what is made of a unit differs, a
 * new entry names it (`origin`), and carries on every key that differs what is made there now, or a withdrawal. The old
 * entries stay as they are; projections fold the keys anew, each unit in its place.
 *
 * Compared is with the translation that stands, so that doing it again, after an end at any point, writes only what is
 * missing. Units from where the publisher stands on are not looked at.
 *
 * @throws TRIB_INTAKE_RETRANSLATION_UNKNOWN before anything is written, when the journal doesn't tell how a unit that was
 *   asked for was sent
 * @throws TRIB_LOG_UNAVAILABLE, TRIB_STORE_UNAVAILABLE, TRIB_VAULT_KEY_MISSING
 */
export async function retranslate(options: RetranslateOptions): Promise<Retranslated> {
  const run = new Retranslation(options);
  try {
    const partitions = await options.log.watermarks(journalTopic);
    // Of what was accepted the journal tells it.
    if (options.filter.code !== undefined) {
      for (const { partition, low } of partitions) await run.refuseUnknown(partition, low);
    }
    for (const { partition, low } of partitions) await run.partition(partition, low);
  } finally {
    await run.close();
  }
  return run.result();
}

class Retranslation {
  readonly #options: RetranslateOptions;
  readonly #hash: KeyedHash;
  readonly #contentHash: ContentHash;
  readonly #changes = new Map<EventType, TypeChanges>();
  #producer: LogProducer | undefined;
  #counts = { units: 0, changed: 0, erased: 0, unmatched: 0, resent: 0 };

  constructor(options: RetranslateOptions) {
    this.#options = options;
    this.#hash = keyedHash(options.secret);
    this.#contentHash = contentHash(options.secret);
  }

  result(): Retranslated {
    const sorted = [...this.#changes].sort(([left], [right]) => (left < right ? -1 : 1));
    return { ...this.#counts, byType: Object.fromEntries(sorted) };
  }

  async close(): Promise<void> {
    await this.#producer?.close();
  }

  /** @throws TRIB_INTAKE_RETRANSLATION_UNKNOWN */
  async refuseUnknown(partition: number, low: number): Promise<void> {
    const { log, codec, translator } = this.#options;
    for await (const records of log.read(journalTopic, partition, low, await this.#publishedUpTo(partition))) {
      for (const [index, entry] of (await decodeEntries(codec, records)).entries()) {
        if (!this.#isWanted(entry) || !(await translator(entry.connector)).resending?.isUnknown(entry)) continue;
        throw unknownArrival(entry, { partition, offset: records[index]?.offset ?? 0 });
      }
    }
  }

  async partition(partition: number, low: number): Promise<void> {
    const { log, pool, codec, filter } = this.#options;
    // Only where rejected units are asked for it matters which of their translations the ledger let through.
    const decided = filter.code === undefined ? undefined : { pool, upTo: await this.#publishedUpTo(partition) };
    const translations = await readTranslations(log, codec, partition, decided);
    const asked = (entry: JournalEntry) => this.#isWanted(entry);
    for await (const transmission of readTransmissions(this.#options, { partition, low }, asked)) {
      await this.#again(transmission, translations);
    }
  }

  #publishedUpTo(partition: number): Promise<number> {
    return publishedUpTo(this.#options.pool, this.#options.journal, partition);
  }

  #isWanted(entry: JournalEntry): boolean {
    const { partner, connector, code, since, until } = this.#options.filter;
    return (
      entry.entry === "UNIT" &&
      (partner === undefined || entry.partner === partner) &&
      (connector === undefined || entry.connector === connector) &&
      (code === undefined ? entry.accepted : entry.code === code) &&
      (since === undefined || entry.receivedAt >= since) &&
      (until === undefined || entry.receivedAt < until)
    );
  }

  /** Translates one transmission, and tells what differs of the units that are wanted. */
  async #again({ slices: ordered, wanted, isWhole }: Transmission, translations: Translations): Promise<void> {
    this.#counts.units += wanted.size;
    const opened = await openUnits(this.#options.vault, ordered);
    const received = opened.filter((one): one is Buffer => Buffer.isBuffer(one));
    const [first] = ordered;
    if (!first || !isWhole || received.length < ordered.length) {
      // Without all of it the transmission can't be put together; erased are only those whose own key is gone.
      const erased = ordered.filter((slice, index) => wanted.has(slice) && opened[index] === "erased").length;
      this.#counts.erased += erased;
      this.#counts.unmatched += wanted.size - erased;
      return;
    }
    const { partner, connector } = first.entry;
    const translator = await this.#options.translator(connector);
    const parts = ordered.map(({ entry }, index) => ({ ...entry, bytes: received[index] as Buffer }));
    const joined = translator.resending ? translator.resending.join(parts) : { bytes: Buffer.concat(received) };
    if (!joined) {
      this.#counts.unmatched += wanted.size;
      return;
    }
    const made = new Map<string, ReceivedUnit[]>();
    for (const unit of await translator.translate(partner, joined.bytes, joined.way)) {
      const text = Buffer.from(unit.bytes).toString("latin1");
      made.set(text, [...(made.get(text) ?? []), unit]);
    }
    for (const [index, slice] of ordered.entries()) {
      const now =
        slice.entry.entry === "UNIT" ? made.get((received[index] as Buffer).toString("latin1"))?.shift() : undefined;
      if (!wanted.has(slice)) continue;
      if (!now || now.partner !== slice.entry.partner) this.#counts.unmatched++;
      else await this.#unit(slice, now, translations, translator.version);
    }
  }

  async #unit(slice: PlacedUnit, now: ReceivedUnit, translations: Translations, version: string): Promise<void> {
    const { codec, eventLimit = 900_000 } = this.#options;
    const { entry } = slice;
    const before = [...translations.standing(slice).values()].flatMap(({ events }) => events);
    const standing = await this.#compared(before);
    const events = now.verdict.accepted ? timed(now.events, standing, entry.receivedAt) : [];
    const unit = { events, partner: entry.partner, ...transportOf(entry) };
    const made = madeEvents(codec, unit, eventLimit);
    if (!made) {
      this.#counts.unmatched++;
      return;
    }
    const generation = translations.last(slice.offset) + 1;
    if (!entry.accepted) {
      // Whether its first translation is published, or it came again just before that, is known once that is decided.
      if (translations.isUndecided(slice.offset)) return;
      if (generation === 1 && (await this.#cameAgain(now))) {
        this.#counts.resent++;
        return;
      }
    }
    const changes = new Map<EventType, TypeChanges>();
    const drafts = drafted(standing, made, changes);
    const { dryRun, pool, clockSkew } = this.#options;
    if (drafts.length > 0) {
      const subjects = sealedFor(drafts);
      const keys = dryRun ? undefined : await this.#options.vault.keysFor(subjects);
      // Asked once the keys are had: one made after an erasure is never used for what was received before it. Whoever is
      // erased after the answer takes along what is written, as it is sealed under the keys had.
      if ((await erasedSince(pool, subjects, entry, clockSkew)).size > 0) {
        this.#counts.erased++;
        return;
      }
      this.#counts.changed++;
      if (keys) await this.#write(slice, now, drafts, { generation, version, keys });
    }
    addChanges(this.#changes, changes);
  }

  /** A unit that was rejected may have come again since, and counts by that. */
  async #cameAgain({ identity }: ReceivedUnit): Promise<boolean> {
    if (!identity) return false;
    const asked = {
      identity: uuidOf(identityHash(this.#hash, identity)),
      resource: identity.rule === "LATEST" ? uuidOf(resourceHash(this.#hash, identity)) : null,
    };
    return (await knownIdentities(this.#options.pool, [asked]))[0] ?? false;
  }

  async #compared(events: readonly JournalledEvent[]): Promise<readonly ComparedEvent[]> {
    const { codec, vault } = this.#options;
    const names = events.flatMap(({ value }) => {
      const { sealed } = codec.decodeEvent(value).event as { readonly sealed?: Buffer | null };
      return sealed ? [keyOfSealedEvent(sealed)] : [];
    });
    const keys = await vault.openKeys(names);
    return events.map((event) =>
      comparedEvent(codec, event, (type, eventId, sealed) => {
        const key = keys.get(keyText(keyOfSealedEvent(sealed)));
        return key ? openEvent({ type, eventId }, key, sealed) : null;
      }),
    );
  }

  async #write(
    { partition, offset, entry }: PlacedUnit,
    now: ReceivedUnit,
    events: readonly EventDraft[],
    how: { readonly generation: number; readonly version: string; readonly keys: ReadonlyMap<string, DataKey> },
  ): Promise<void> {
    const { codec, log, pool, journal, reason, eventLimit = 900_000, onWritten } = this.#options;
    const { generation, version, keys } = how;
    const again = { generation, origin: { journal, partition, offset } };
    const { receiptId, partner, feed, connector, format } = entry;
    const finished = finishEvents(
      { events, partner, ...transportOf(entry) },
      {
        codec,
        connector,
        receiptId,
        again,
        eventLimit,
        seal: (event, subject, plaintext) => sealEvent(event, keys.get(subject) as DataKey, plaintext),
      },
    );
    if (!("events" in finished)) throw new RangeError("an event that could be compared can't be encoded");
    const record = engineRecord(
      {
        receiptId,
        receivedAt: Date.now(),
        partner,
        feed,
        connector,
        connectorVersion: version,
        format,
        identity: ["retranslation", journal, String(partition), String(offset), String(generation)],
        // A unit that was rejected enters the ledger by its own identity, so that a later sending of it is a resend.
        ...(entry.accepted || generation > 1 || !now.identity ? {} : { unit: now.identity }),
        events: finished.events,
        again: { ...again, reason },
      },
      { codec, hash: this.#hash, contentHash: this.#contentHash },
    );
    // What is said of a unit anew is looked for in the unit's partition.
    this.#producer ??= await log.producer(await assertPartitions(log, pool, [journalTopic]));
    await this.#producer.append([record]);
    onWritten?.();
  }
}

function unknownArrival(
  { connector, partner, code, receivedAt }: JournalEntry,
  place: { readonly partition: number; readonly offset: number },
): TributaryError {
  const received = new Date(receivedAt).toISOString();
  return new TributaryError(
    "TRIB_INTAKE_RETRANSLATION_UNKNOWN",
    `A unit of ${partner}, received at ${received} by ${connector} and rejected with ${code}, can't be sent again as it was. Nothing was written.`,
    { ...place, connector, partner, code: code ?? "", received },
  );
}

const sealedFor = (events: readonly EventDraft[]): readonly string[] => [
  ...new Set(events.flatMap(({ sealFor }) => (sealFor === undefined ? [] : [sealFor]))),
];

/** Events without a time of their own have it from what stands of their key, else from the unit's reception. */
function timed(
  events: readonly EventDraft[],
  standing: readonly ComparedEvent[],
  receivedAt: number,
): readonly EventDraft[] {
  const time = ({ type, subject }: EventDraft) => {
    const told = standing.filter(({ key }) => key === subject);
    return (told.find((event) => event.type === type) ?? told[0])?.time ?? receivedAt;
  };
  return events.map((event) => (event.time === untoldTime ? { ...event, time: time(event) } : event));
}

const transportOf = ({ transport }: JournalEntry): { transport?: NonNullable<ReceivedUnit["transport"]> } => {
  if (!transport) return {};
  const { transmissionId, ordinal, byteOffset } = transport;
  return { transport: { transmissionId, ordinal, byteOffset } };
};
