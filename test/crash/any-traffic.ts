import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Codec, OutgoingEvent } from "../../engine/log/codec.js";
import type { Log, LogProducer, OutgoingRecord } from "../../engine/log/log.js";
import { formatPosition, positionHeader } from "../../engine/log/position.js";
import type { AnyProjection } from "../../engine/projector/definition.js";
import { anyEvent } from "../../engine/testing/any-event.js";
import { type EventType, eventCatalog } from "../../schemas/events.generated.js";

const entities = 300;
const burst = 60;
/** One burst in so many is sent twice, as after a crash of the publisher. */
const repeated = 5;
/** Bytes that are no event end one in so many bursts. */
const poisoned = 10;
const keyOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

const surrogateId = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Whether all that an event says can be stored: else most keys would soon be parked, and nothing left to compare. */
function isStorable(value: unknown, name = ""): boolean {
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < (/At$|time/i.test(name) ? 4e12 : 1e5);
  if (typeof value === "string") return /(Id|subject)$/.test(name) ? surrogateId.test(value) : !value.includes("\0");
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return true;
  return Object.entries(value).every(([key, part]) => isStorable(part, Array.isArray(value) ? name : key));
}

/** Events of every type that some projections fold, put into their topics as the publisher would, without end. */
export class AnyTraffic {
  readonly #codec: Codec;
  readonly #producer: LogProducer;
  readonly #made: readonly { type: EventType; event: object }[];
  readonly #journal = randomUUID();
  #unit = 0;
  #bursts = 0;

  private constructor(codec: Codec, producer: LogProducer, made: readonly { type: EventType; event: object }[]) {
    this.#codec = codec;
    this.#producer = producer;
    this.#made = made;
  }

  static async open(
    log: Log,
    codec: Codec,
    { projections, seed }: { readonly projections: readonly AnyProjection[]; readonly seed: number },
  ): Promise<AnyTraffic> {
    const types = new Set(projections.flatMap(({ fold }) => Object.keys(fold) as EventType[]));
    const storable = fc.oneof(...[...types].map(anyEvent)).filter(({ event }) => isStorable(event));
    const made = fc.sample(storable, { seed, numRuns: 1_000 });
    return new AnyTraffic(codec, await log.producer(), made);
  }

  /** Events sent so far, each counted once. */
  get events(): number {
    return this.#unit;
  }

  #next(): OutgoingRecord {
    const unit = ++this.#unit;
    const { type, event } = this.#made[unit % this.#made.length] as { type: EventType; event: object };
    const key = keyOf((unit * 7_919) % entities);
    const { meta } = event as { readonly meta: object };
    const value = this.#codec.encodeEvent(type, {
      ...event,
      meta: { ...meta, id: `event-${unit}`, subject: key },
      sealed: null,
    } as unknown as OutgoingEvent<typeof type>);
    const position = formatPosition({
      journal: this.#journal,
      partition: 0,
      offset: unit,
      index: 0,
      recordedAt: 1_700_000_000_000 + unit,
    });
    return { topic: eventCatalog[type].topics[0], key, value, headers: { [positionHeader]: position } };
  }

  async send(): Promise<void> {
    const records = Array.from({ length: burst }, () => this.#next());
    this.#bursts++;
    if (this.#bursts % poisoned === 0) records.push({ ...this.#next(), value: Buffer.from("no event") });
    await this.#producer.append(records);
    if (this.#bursts % repeated === 0) await this.#producer.append(records);
  }
}
