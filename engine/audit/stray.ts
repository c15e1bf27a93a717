import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { EventPosition } from "../log/position.js";
import type { PlacedRecord } from "./read-places.js";

/**
 * Compares an event with the journal entry that its position names: topic, key and value, byte for byte. Whoever may write
 * to a topic of events can give a record any position; the journal has what was received.
 * @param entry undefined where the journal has none there.
 * @returns in what it differs, in words that go on after the event's place; null when the entry holds this very event.
 */
export function strayFrom(
  { topic, record }: Pick<PlacedRecord, "topic" | "record">,
  { index, recordedAt }: Pick<EventPosition, "index" | "recordedAt">,
  entry: { readonly entry: JournalEntry; readonly timestamp: number } | undefined,
): string | null {
  if (!entry) return "the journal has no entry where it says that it comes from";
  const { accepted, events } = entry.entry;
  if (!accepted) return "the unit that it names was rejected, and no event was made of it";
  const made = events[index];
  if (!made) return `the unit that it names has ${events.length} events, and none of the index ${index}`;
  if (made.topic !== topic || made.key !== record.key || !record.value?.equals(made.value))
    return `the unit that it names has another event of the index ${index}`;
  // The recorded time is that of the entry's append or of one before it in its partition: never earlier.
  return recordedAt < entry.timestamp ? "it says it was recorded before the unit that it names" : null;
}
