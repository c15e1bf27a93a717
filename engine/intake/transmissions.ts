import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import { decodeEntries } from "./decode-entries.js";
import { type PlacedUnit, PublishedUnits, publishedUpTo } from "./standing-facts.js";

export interface JournalSource {
  readonly log: Log;
  readonly pool: Pool;
  readonly codec: Codec;
  /** Id of the journal. */
  readonly journal: string;
}

/** What came together, in its order; a unit that came alone is one. */
export interface Transmission {
  readonly slices: readonly PlacedUnit[];
  /** Units that are asked for; never none. */
  readonly wanted: ReadonlySet<PlacedUnit>;
  /** Whether its end is in the journal. Of what was cut off there a connector would judge only a part. */
  readonly isWhole: boolean;
}

interface OpenTransmission {
  readonly slices: PlacedUnit[];
  readonly wanted: Set<PlacedUnit>;
}

const ordinalOf = ({ entry: { transport } }: PlacedUnit): number => transport?.ordinal ?? 0;

/**
 * Transmissions of a journal partition with units that are asked for, as far as the publisher has decided: what partners
 * sent, resends of it left out.
 * @param isAsked by what the unit's entry says.
 */
export async function* readTransmissions(
  { log, pool, codec, journal }: JournalSource,
  { partition, low }: { readonly partition: number; readonly low: number },
  isAsked: (entry: JournalEntry) => boolean,
): AsyncGenerator<Transmission> {
  const published = new PublishedUnits();
  const open = new Map<string, OpenTransmission>();
  for await (const records of log.read(journalTopic, partition, low, await publishedUpTo(pool, journal, partition))) {
    const placed = (await decodeEntries(codec, records)).map(
      (entry, index): PlacedUnit => ({ partition, offset: records[index]?.offset ?? 0, entry }),
    );
    const stand = await published.of(pool, placed);
    for (const unit of placed) {
      const { entry, origin, connector, transport, accepted } = unit.entry;
      if (entry === "GENESIS" || origin !== null || connector === "vault") continue;
      const isWanted = isAsked(unit.entry) && (stand.has(unit) || !accepted);
      if (!transport) {
        if (isWanted) yield { slices: [unit], wanted: new Set([unit]), isWhole: true };
        continue;
      }
      const transmission = open.get(transport.transmissionId) ?? { slices: [], wanted: new Set() };
      open.set(transport.transmissionId, transmission);
      transmission.slices.push(unit);
      if (isWanted) transmission.wanted.add(unit);
      if (entry !== "CLOSING") continue;
      open.delete(transport.transmissionId);
      if (transmission.wanted.size > 0) yield told(transmission, true);
    }
  }
  for (const transmission of open.values()) if (transmission.wanted.size > 0) yield told(transmission, false);
}

const told = ({ slices, wanted }: OpenTransmission, isWhole: boolean): Transmission => ({
  slices: [...slices].sort((left, right) => ordinalOf(left) - ordinalOf(right)),
  wanted,
  isWhole,
});
