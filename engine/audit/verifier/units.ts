import { decodeRecord, schemaIdIn } from "./avro.js";
import { base64, text } from "./bytes.js";
import { type PackedRecord, placeOf } from "./record.js";

const journalTopic = "health.intake.journal";
const auditTopics = "health.audit.";

/** Of a journal entry what its events are compared with; bytes in base64. */
interface Entry {
  readonly accepted: boolean;
  readonly events: readonly { readonly topic: string; readonly key: string; readonly value: string }[];
}

type Files = ReadonlyMap<string, Uint8Array>;

function entryOf(record: PackedRecord, files: Files): Entry | undefined {
  const value = base64(record.value ?? "");
  const schema = files.get(`schemas/${schemaIdIn(value)}.json`);
  try {
    return schema && (decodeRecord(value, JSON.parse(text.decode(schema))) as Entry);
  } catch {
    return undefined;
  }
}

/** Where an event says that it comes from: journal, partition and offset of its entry, index among the entry's events. */
function positionOf({ headers }: PackedRecord) {
  const header = headers.find(([name]) => text.decode(base64(name)) === "position")?.[1] ?? "";
  const [, journal = "", partition, offset, index] =
    /^(.+):(\d+):(\d+):(\d+):\d+$/.exec(text.decode(base64(header))) ?? [];
  return partition === undefined ? undefined : { journal, place: `${partition}/${offset}`, index: Number(index) };
}

/** What the events of a package are compared with. */
export interface UnitsChecked {
  /** Events that are what their units hold, byte for byte. */
  readonly held: number;
  /** Events whose units are not in the package. */
  readonly unknown: number;
  /** What the first event is that no unit holds, in plain words; undefined when there is none. */
  readonly stray: string | undefined;
}

/**
 * Compares each event with the journal entry that its position names: topic, key and value. That an event stands in a signed
 * log says that somebody wrote it there; only the journal says that it was made of what a partner sent.
 * @param isWhole whether the package is to have the unit of each of its events.
 */
export function checkUnits(
  records: readonly PackedRecord[],
  files: Files,
  { installation, isWhole }: { readonly installation: string; readonly isWhole: boolean },
): UnitsChecked {
  const entries = new Map<string, Entry | undefined>();
  for (const record of records)
    if (record.topic === journalTopic) entries.set(`${record.partition}/${record.offset}`, entryOf(record, files));
  const found = { held: 0, unknown: 0 };
  for (const record of records) {
    if (record.topic === journalTopic || record.topic.startsWith(auditTopics)) continue;
    const stray = (why: string) => ({ ...found, stray: `the event at ${placeOf(record)} ${why}` });
    const position = positionOf(record);
    if (!position) return stray("names no unit");
    if (position.journal !== installation) return stray("names a unit of another journal");
    if (!entries.has(position.place)) {
      if (isWhole) return stray(`names the unit ${position.place}, and this is not in the package`);
      found.unknown += 1;
      continue;
    }
    const entry = entries.get(position.place);
    const made = entry?.accepted ? entry.events[position.index] : undefined;
    const key = record.key === null ? null : text.decode(base64(record.key));
    if (!made) return stray(`names the unit ${position.place}, which has no event of the index ${position.index}`);
    if (made.topic !== record.topic || made.key !== key || made.value !== record.value)
      return stray(`names the unit ${position.place}, which has another event of the index ${position.index}`);
    found.held += 1;
  }
  return { ...found, stray: undefined };
}
