import { createHash } from "node:crypto";
import { decodeEntries } from "../intake/decode-entries.js";
import type { Codec } from "../log/codec.js";
import { type DataKey, keyText } from "../vault/data-key.js";
import { openUnit } from "../vault/sealed-unit.js";
import type { Vault } from "../vault/vault.js";
import type { PlacedRecord } from "./read-places.js";

/** A unit as received, with the answer given; or the entry of one that was translated again, which has no bytes. */
export interface TrailUnit {
  /** Place in the journal, `partition/offset`. */
  readonly place: string;
  readonly partner: string;
  readonly feed: string;
  readonly connector: string;
  readonly connectorVersion: string;
  readonly format: string;
  readonly receiptId: string;
  /** When the engine had the whole unit, and when the log took it; epoch milliseconds. */
  readonly receivedAt: number;
  readonly recordedAt: number;
  readonly accepted: boolean;
  readonly code: string | null;
  readonly location: string | null;
  readonly flags: readonly string[];
  /** In short, as the partner got it. */
  readonly answer: string | null;
  readonly size: number;
  /** Keyed hash of the exact bytes, hexadecimal. */
  readonly contentHash: string;
  /** Hexadecimal; null where the unit isn't opened or is erased. */
  readonly sha256: string | null;
  readonly controlId: string | null;
  /** Exact bytes; only where they were opened. */
  readonly bytes: Buffer | null;
  readonly events: readonly string[];
  /** Of the engine's own entry of a unit translated again: place of that unit, which translation it is, and why. */
  readonly again: { readonly unit: string; readonly generation: number; readonly reason: string | null } | null;
}

/** How units are opened. */
export interface OpeningUnits {
  readonly vault: Vault;
  /** Whose units stay closed: what is sealed for them, too, tells of them. Surrogate ids. */
  readonly apart: ReadonlySet<string>;
  /** The names of keys under which anything is opened are added to it. */
  readonly under: Set<string>;
}

/** @param opening given only where the reader may open units. */
export async function unitsOf(
  codec: Codec,
  journal: readonly PlacedRecord[],
  opening: OpeningUnits | undefined,
): Promise<TrailUnit[]> {
  const entries = await decodeEntries(
    codec,
    journal.map(({ record }) => record),
  );
  const isApart = ({ sealedFor }: (typeof entries)[number]) =>
    sealedFor.some(({ subject }) => opening?.apart.has(subject) ?? false);
  const names = entries.filter((entry) => !isApart(entry)).flatMap(({ sealedFor }) => sealedFor);
  const keys = opening && (await opening.vault.openKeys(names));
  for (const name of keys?.keys() ?? []) opening?.under.add(name);
  const units = entries.map((entry, index): TrailUnit => {
    const { partition, offset, record } = journal[index] as PlacedRecord;
    const chain = entry.sealedFor.flatMap((name): DataKey[] => {
      const key = keys?.get(keyText(name));
      return key ? [key] : [];
    });
    const { origin, generation, reason } = entry;
    // One of several keys is gone when a patient was erased: then nobody opens the unit any more.
    const content =
      keys && !origin && chain.length === entry.sealedFor.length && !isApart(entry)
        ? openUnit(entry.receiptId, chain, entry.sealedUnit)
        : undefined;
    return {
      place: `${partition}/${offset}`,
      partner: entry.partner,
      feed: entry.feed,
      connector: entry.connector,
      connectorVersion: entry.connectorVersion,
      format: entry.format,
      receiptId: entry.receiptId,
      receivedAt: entry.receivedAt,
      recordedAt: record.timestamp,
      accepted: entry.accepted,
      code: entry.code,
      location: entry.location,
      flags: entry.flags,
      answer: entry.answer,
      size: entry.size,
      contentHash: entry.contentHash.toString("hex"),
      sha256: content ? createHash("sha256").update(content.bytes).digest("hex") : null,
      controlId: content?.controlId ?? null,
      bytes: content?.bytes ?? null,
      events: entry.events.map(({ id }) => id),
      again: origin ? { unit: `${origin.partition}/${origin.offset}`, generation, reason } : null,
    };
  });
  return units.sort((left, right) => left.receivedAt - right.receivedAt || left.recordedAt - right.recordedAt);
}
