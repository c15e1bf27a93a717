import { type Command, InvalidArgumentError, Option } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { readableContent } from "../engine/audit/readable.js";
import { type Codec, schemaIdOf } from "../engine/log/codec.js";
import type { IncomingRecord, Log } from "../engine/log/log.js";
import { parsePosition, positionHeader } from "../engine/log/position.js";
import { connectCodec } from "../engine/log/registry.js";
import { entities, entityOfTopic, eventsTopic } from "../engine/log/schemas.js";
import type { EventPlace } from "../engine/projector/decisions.js";
import { TributaryError } from "../engine/service/errors.js";
import { actorOf, instantText, surrogateOf } from "./audit-options.js";
import { countOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson } from "./output.js";
import { placeOf } from "./parked-requests.js";
import { nameGiven, textGiven } from "./texts.js";

interface Shown {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly type: string;
  readonly position: unknown;
  readonly event: unknown;
}

interface Asked {
  readonly reason?: string;
  readonly by?: string;
  readonly json?: boolean;
}

/** Beyond so many the record says that it was everyone. */
const mostNamed = 1_000;

/** Records who looks at some events, before they are shown. */
async function recordLook(log: Log, codec: Codec, command: string, events: readonly Shown[], asked: Asked) {
  const patients = new Set(
    events.flatMap(({ topic, key, event }) => {
      if (entityOfTopic(topic) === "patient") return [key];
      return (event as { readonly patientId?: string | null }).patientId ?? [];
    }),
  );
  const [first] = events;
  const one = events.length === 1 && first;
  const named = patients.size <= mostNamed;
  await recordAccess(log, codec, {
    action: "READ",
    command,
    subject: one ? { kind: "event", id: `${one.topic}/${one.partition}/${one.offset}` } : { kind: "event", id: "all" },
    patients: named ? [...patients] : [],
    ...(named ? {} : { bulk: { opened: false } }),
    events: events.length,
    reason: asked.reason,
    actor: actorOf(asked.by),
  });
}

/** The clear part of an event, with readable instants and amounts: what is sealed stays sealed. */
async function shown(codec: Codec, topic: string, partition: number, record: IncomingRecord): Promise<Shown> {
  const value = record.value ?? Buffer.alloc(0);
  const decoded = await decode(codec, value);
  const { sealed, ...clear } = decoded.event as object as { sealed?: Buffer | null } & Record<string, unknown>;
  const position = parsePosition(record.headers[positionHeader] ?? "");
  return {
    topic,
    partition,
    offset: record.offset,
    key: record.key,
    type: decoded.type,
    position: position ? { ...position, recordedAt: instantText(position.recordedAt) } : null,
    event: { ...readableContent(decoded.type, clear), ...(sealed ? { sealed: `${sealed.length} bytes` } : {}) },
  };
}

async function decode(codec: Codec, value: Buffer) {
  try {
    return codec.decodeEvent(value);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_UNKNOWN_SCHEMA") throw error;
    await codec.learn(schemaIdOf(value));
    return codec.decodeEvent(value);
  }
}

async function* recent(
  log: Log,
  topics: readonly string[],
  count: number,
): AsyncIterable<[string, number, IncomingRecord]> {
  for (const topic of topics) {
    for (const { partition, low, high } of await log.watermarks(topic)) {
      for await (const records of log.read(topic, partition, Math.max(low, high - count), high)) {
        for (const record of records) yield [topic, partition, record];
      }
    }
  }
}

/** A place in a topic of events. @throws InvalidArgumentError */
function eventPlaceOf(text: string): EventPlace {
  const place = placeOf(text);
  const topics: readonly string[] = entities.map(eventsTopic);
  if (!topics.includes(place.topic)) throw new InvalidArgumentError(`topics of events are ${topics.join(", ")}.`);
  return place;
}

export function registerEvents(command: Command): void {
  command
    .command("tail")
    .description("the last events of each partition, oldest first by recorded time; recorded as an access")
    .addOption(new Option("--entity <entity>", "of one entity").choices([...entities]))
    .option("--last <n>", "events a partition", countOf, 5)
    .option("--key <id>", "of one entity's id", surrogateOf)
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who asks; default the user of the system", nameGiven)
    .option("--json", "one JSON object a line")
    .action((options: Asked & { entity?: (typeof entities)[number]; last: number; key?: string }) =>
      withLog(async ({ log, settings }) => {
        const codec = await connectCodec(settings);
        const topics = (options.entity ? [options.entity] : entities).map(eventsTopic);
        const found: [number, Shown][] = [];
        const count = options.key ? Number.MAX_SAFE_INTEGER : options.last;
        for await (const [topic, partition, record] of recent(log, topics, count)) {
          if (!options.key || record.key === options.key)
            found.push([record.timestamp, await shown(codec, topic, partition, record)]);
        }
        await recordLook(
          log,
          codec,
          "events tail",
          found.map(([, event]) => event),
          options,
        );
        for (const [, event] of found.sort(([left], [right]) => left - right)) {
          if (options.json) printJson(event);
          else print(`${event.topic}/${event.partition}/${event.offset}  ${event.type}  ${event.key}`);
        }
      }),
    );
  command
    .command("show")
    .argument("<place>", "topic/partition/offset", eventPlaceOf)
    .description("one event, decoded, as JSON; recorded as an access")
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who asks; default the user of the system", nameGiven)
    .action((place: EventPlace, options: Asked) =>
      withLog(async ({ log, settings }) => {
        const { topic, partition, offset: at } = place;
        const there = (await log.watermarks(topic)).find((mark) => mark.partition === partition);
        const codec = await connectCodec(settings);
        const to = there && at >= there.low && at < there.high ? at + 1 : at;
        for await (const records of log.read(topic, partition, at, to)) {
          for (const record of records) {
            const event = await shown(codec, topic, partition, record);
            await recordLook(log, codec, "events show", [event], options);
            print(JSON.stringify(event, null, 2));
            return;
          }
        }
        throw new TributaryError("TRIB_CLI_NOT_FOUND", `There is no event at ${topic}/${partition}/${at}.`);
      }),
    );
}
