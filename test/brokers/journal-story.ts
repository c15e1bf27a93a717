import type { Codec } from "../../engine/log/codec.js";
import type { IncomingRecord, LogProducer } from "../../engine/log/log.js";
import { partitionOf } from "../../engine/log/murmur2.js";
import { parsePosition } from "../../engine/log/position.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { TributaryError } from "../../engine/service/errors.js";
import { scriptedEntry } from "../../engine/testing/journal-script.js";

const resendEvery = 7;
const keys = 29;

/** Events of unit `number` of a journal partition, `key:partition.number.index`; none for a resend. */
function eventsOf(partition: number, number: number): string[] {
  return Array.from({ length: 1 + (number % 3) }, (_, index) => {
    const key = (number * 11 + index * 5 + partition * 3) % keys;
    return `key${key}:${partition}.${number}.${index}`;
  });
}

/** Every seventh unit is a resend of an earlier one: the same content, and no new event. */
const originalOf = (number: number): number =>
  number > 0 && number % resendEvery === 0 ? number - resendEvery + 4 : number;

/** Units that are written without end, and the events that must come of them: a function of their numbers. */
export class JournalStory {
  readonly partitions: number;
  /** Offset after the highest acknowledged entry, by journal partition. */
  readonly ends: number[];
  /** Units written, acknowledged, by journal partition. */
  readonly written: number[];
  /** Appends that had to be made again by the writer itself. */
  retried = 0;

  constructor(partitions: number) {
    this.partitions = partitions;
    this.ends = Array.from({ length: partitions }, () => 1);
    this.written = Array.from({ length: partitions }, () => 0);
  }

  /** Appends the next units of every partition, again and again until the log has them. */
  async write(producer: LogProducer, codec: Pick<Codec, "encodeEntry">, count: number): Promise<void> {
    const records = this.written.flatMap((first, partition) =>
      Array.from({ length: count }, (_, index) => {
        const original = originalOf(first + index);
        const entry = scriptedEntry(
          { content: `${partition}.${original}`, events: eventsOf(partition, original) },
          first + index,
        );
        return { topic: journalTopic, partition, key: `feed ${partition}`, value: codec.encodeEntry(entry) };
      }),
    );
    for (;;) {
      try {
        for (const { partition, offset } of await producer.append(records)) {
          this.ends[partition] = Math.max(this.ends[partition] as number, offset + 1);
        }
        break;
      } catch (error) {
        if (!(error instanceof TributaryError) || !error.definition.retriable) throw error;
        this.retried++;
      }
    }
    this.written.forEach((first, partition) => {
      this.written[partition] = first + count;
    });
  }

  /** Events of a journal partition for an event partition, in order, of the first `count` units. */
  *sequence(journal: number, events: number, count = this.written[journal] as number): Generator<string> {
    for (let number = 0; number < count; number++) {
      if (originalOf(number) !== number) continue;
      for (const text of eventsOf(journal, number)) {
        if (partitionOf(text.split(":")[0] as string, this.partitions) === events) yield text;
      }
    }
  }
}

/** Reads an event partition on and on, and says what breaks the precondition of docs/publisher-proof.md. */
export class PreconditionCheck {
  readonly partition: number;
  readonly violations: string[] = [];
  next = 0;
  repeats = 0;
  readonly #story: JournalStory;
  /** By journal partition: place in the sequence of each event seen, the position it had, and how far it got. */
  readonly #seen: { readonly places: Map<string, { place: number; position: string }>; highest: number }[];
  readonly #sequences: Generator<string>[];

  constructor(story: JournalStory, partition: number) {
    this.#story = story;
    this.partition = partition;
    const all = Array.from({ length: story.partitions }, (_, journal) => journal);
    this.#seen = all.map(() => ({ places: new Map(), highest: -1 }));
    this.#sequences = all.map((journal) => story.sequence(journal, partition, Number.POSITIVE_INFINITY));
  }

  take(records: readonly IncomingRecord[]): void {
    for (const { offset, value, headers } of records) {
      this.next = offset + 1;
      const position = parsePosition(headers.position ?? "");
      const seen = position && this.#seen[position.partition];
      if (!seen) {
        this.violations.push(`offset ${offset} has no position`);
        continue;
      }
      const text = String(value);
      const known = seen.places.get(text);
      if (known) {
        this.repeats++;
        if (known.position !== headers.position) this.violations.push(`${text} has two positions`);
        continue;
      }
      // The sequence is closed below `highest`, so what isn't known must be the very next event.
      const expected = this.#sequences[position.partition]?.next().value;
      if (text !== expected) this.violations.push(`offset ${offset}: ${text} instead of ${expected}`);
      seen.highest++;
      seen.places.set(text, { place: seen.highest, position: headers.position as string });
    }
  }

  /** Events of a journal partition seen so far, each once. */
  count(journal: number): number {
    return (this.#seen[journal]?.highest ?? -1) + 1;
  }

  /** What is missing of all that was written. */
  missing(): number {
    let missing = 0;
    for (let journal = 0; journal < this.#story.partitions; journal++) {
      missing += [...this.#story.sequence(journal, this.partition)].length - this.count(journal);
    }
    return missing;
  }
}
