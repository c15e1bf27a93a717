import { decodeEntries } from "../intake/decode-entries.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import { currentBuild } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { quoted } from "../projector/names.js";
import type { Pool } from "../store/pool.js";
import { type KeyName, keyText } from "./data-key.js";

/** Units that tell of a patient who was erased, and that others' keys still open. */
export interface LeftReadable {
  readonly units: number;
  /** Whose keys: patients whom they were first taken to be about, or who were moved or merged. Surrogate ids, sorted. */
  readonly sealedFor: readonly string[];
}

/** Entries read in one go. */
const stretch = 500;

/** Where the journal has the units of some subjects' events, as the timeline knows them; offsets by partition, ascending. */
async function unitsOf(pool: Pool, timeline: AnyProjection, subjects: readonly string[]) {
  const build = await currentBuild(pool, timeline.name);
  const places = new Map<number, number[]>();
  if (!build) return places;
  const { rows } = await pool.query<{ partition: number; offset: number }>(
    `SELECT DISTINCT journal_partition AS partition, journal_offset AS "offset" FROM ${quoted(build.schema)}."timeline"
     WHERE patient_id = ANY ($1) OR visit_id = ANY ($1) OR claim_id = ANY ($1) ORDER BY 1, 2`,
    [subjects],
  );
  for (const { partition, offset } of rows) {
    places.set(partition, [...(places.get(partition) ?? []), Number(offset)]);
  }
  return places;
}

async function entriesAt(
  { log, codec }: LeftSource,
  places: ReadonlyMap<number, readonly number[]>,
  take: (entry: Awaited<ReturnType<typeof decodeEntries>>[number], name: string) => void,
): Promise<void> {
  for (const [partition, offsets] of places) {
    const left = [...new Set(offsets)].sort((one, other) => one - other);
    while (left.length > 0) {
      const [first = 0] = left;
      const near = left.splice(0, left.findIndex((offset) => offset >= first + stretch) + 1 || left.length);
      const wanted = new Set(near);
      for await (const records of log.read(journalTopic, partition, first, (near.at(-1) ?? first) + 1)) {
        const found = records.filter(({ offset }) => wanted.has(offset));
        const entries = await decodeEntries(codec, found);
        for (const [index, entry] of entries.entries()) take(entry, `${partition}/${found[index]?.offset}`);
      }
    }
  }
}

export interface LeftSource {
  readonly log: Pick<Log, "read">;
  readonly pool: Pool;
  readonly codec: Pick<Codec, "decodeEntry" | "learn">;
  /** The read model `timeline`. */
  readonly timeline: AnyProjection;
}

/**
 * What an erasure does not reach: units about the patient, or about a visit or claim of the patient's, none of whose keys
 * was destroyed. That is so where it was found later whom they are about: by translating again, or as a visit moved.
 *
 * Their keys open everything of somebody else, so it is for a person to say whether that one is erased, too.
 *
 * @param subjects the patient, and the patient's visits and claims. Surrogate ids.
 */
export async function leftReadable(source: LeftSource, subjects: readonly string[]): Promise<LeftReadable> {
  const places = await unitsOf(source.pool, source.timeline, subjects);
  const chains = new Map<string, readonly KeyName[]>();
  const origins = new Map<number, number[]>();
  await entriesAt(source, places, ({ sealedFor, origin }, name) => {
    if (origin) origins.set(origin.partition, [...(origins.get(origin.partition) ?? []), origin.offset]);
    else chains.set(name, sealedFor);
  });
  // A unit translated again has its bytes where it was received.
  await entriesAt(source, origins, ({ sealedFor }, name) => chains.set(name, sealedFor));
  const names = [...chains.values()].flat();
  const { rows } = await source.pool.query<KeyName>(
    `SELECT kept.subject, kept.generation FROM unnest($1::uuid[], $2::integer[]) AS named (subject, generation)
     JOIN engine.vault_keys AS kept USING (subject, generation) WHERE kept.wrapped IS NOT NULL`,
    [names.map(({ subject }) => subject), names.map(({ generation }) => generation)],
  );
  const living = new Set(rows.map(keyText));
  const open = [...chains.values()].filter(
    (chain) => chain.length > 0 && chain.every((key) => living.has(keyText(key))),
  );
  const sealedFor = new Set(open.flat().map(({ subject }) => subject));
  return { units: open.length, sealedFor: [...sealedFor].sort() };
}
