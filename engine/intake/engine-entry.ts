import type { JournalEntryInput, JournalledEventInput } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { OutgoingRecord } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import { sealUnit } from "../vault/sealed-unit.js";
import type { UnitIdentity } from "./connector.js";
import { identityHash, resourceHash } from "./journal-record.js";
import type { ContentHash, KeyedHash } from "./keyed-hash.js";

/** What the engine itself has to say, on its way into the journal. */
export interface EngineEntry {
  readonly receiptId: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly partner: string;
  readonly feed: string;
  readonly connector: string;
  readonly connectorVersion: string;
  readonly format: string;
  /** Made again after a crash, the entry has the same identity: the ledger lets only the first be published. */
  readonly identity: readonly string[];
  /** Instead of it, where the entry stands for a unit of a partner that was not accepted before. */
  readonly unit?: UnitIdentity;
  readonly events: readonly JournalledEventInput[];
  /** Of a unit that is translated again. */
  readonly again?: Required<Pick<JournalEntryInput, "generation" | "origin" | "reason">>;
}

export interface EngineEntryContext {
  readonly codec: Pick<Codec, "encodeEntry">;
  readonly hash: KeyedHash;
  readonly contentHash: ContentHash;
}

const nothing = Buffer.alloc(0);

/**
 * An entry of the engine's own: no unit of a partner, so it has no bytes and is not counted as one. Its events go the way
 * of all others: the ledger and the publisher make them come once and in order.
 */
export function engineRecord(entry: EngineEntry, { codec, hash, contentHash }: EngineEntryContext): OutgoingRecord {
  const { identity, unit, again, ...given } = entry;
  const value = codec.encodeEntry({
    ...given,
    entry: "ENVELOPE",
    accepted: true,
    identity: unit ? identityHash(hash, unit) : hash("engine entry", identity).subarray(0, 16),
    resend: unit?.rule ?? "EVERY",
    resource: unit?.rule === "LATEST" ? resourceHash(hash, unit) : null,
    contentHash: contentHash([nothing]),
    size: 0,
    sealedUnit: sealUnit(entry.receiptId, [], { bytes: nothing, controlId: null }),
    ...again,
  });
  return { topic: journalTopic, key: entry.feed, value };
}
