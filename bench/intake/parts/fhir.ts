import { fileURLToPath } from "node:url";
import { decodeEntries } from "../../../engine/intake/decode-entries.js";
import { connectCodec } from "../../../engine/log/registry.js";
import { journalTopic } from "../../../engine/log/schemas.js";
import { dropFile, writePieces } from "../drop.js";
import { bundleOf, linesOf } from "../fhir-resources.js";
import type { IntakeBenchPart, Measure } from "../part.js";
import type { BenchPlace } from "../place.js";

/** Rounds of the throughput run: on a machine that others use too, the best one tells most of the connector. */
const rounds = 3;
const senders = 4;
/** Visits of a bundle, four resources each. */
const visits = 25;
const each = 4;
/** Visits of the bulk file: more than 100 MB. */
const largeVisits = 14_000;

/** Sends bundles, made before, over some connections; each sender waits for its answer. */
async function load(url: string, bundles: readonly Buffer[]): Promise<{ seconds: number; latencies: number[] }> {
  const latencies: number[] = [];
  let next = 0;
  const began = performance.now();
  const send = async () => {
    for (let at = next++; at < bundles.length; at = next++) {
      const sent = performance.now();
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/fhir+json" },
        body: new Uint8Array(bundles[at]!),
      });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`a bundle was answered ${response.status}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: senders }, send));
  return { seconds: (performance.now() - began) / 1000, latencies };
}

/** @throws Error when the journal does not hold every resource once, each bundle's in order. */
async function checkJournal(place: BenchPlace, resources: number): Promise<string> {
  const codec = await connectCodec(place.settings);
  const last = new Map<string, number>();
  let units = 0;
  let events = 0;
  for (const { partition, low, high } of await place.log.watermarks(journalTopic)) {
    for await (const records of place.log.read(journalTopic, partition, low, high)) {
      for (const { entry, accepted, transport, events: made } of await decodeEntries(codec, records)) {
        if (entry !== "UNIT" || !transport) continue;
        const { transmissionId, ordinal } = transport;
        if (ordinal !== (last.get(transmissionId) ?? 0) + 1) throw new Error("entries out of order");
        last.set(transmissionId, ordinal);
        if (!accepted || made.length === 0) throw new Error("a resource was not accepted, or made no event");
        units += 1;
        events += made.length;
      }
    }
  }
  if (units !== resources) throw new Error(`${resources} resources were answered, the journal has ${units}`);
  return `all ${resources} resources are in the journal, once, each bundle's in order, with ${events} events`;
}

const part: IntakeBenchPart = {
  connector: "fhir",
  about: `transactions of ${visits * each} resources (patient, encounter, claim, explanation of benefit), ${senders} senders`,
  async run(place, options) {
    const url = place.addresses.find(({ protocol, partner }) => protocol === "http" && partner === "generic")!.url;
    const units = options.units ?? 24_000;
    const bundles = Math.ceil(units / rounds / (visits * each));
    let number = 0;
    const made = (count: number) => {
      const all: Buffer[] = [];
      for (let index = 0; index < count; index++, number += visits) all.push(bundleOf(number, number + visits));
      return all;
    };
    await load(url, made(40));
    const before = place.usage("fhir");
    const speeds: number[] = [];
    const latencies: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      const some = made(bundles);
      bytes += some.reduce((sum, { length }) => sum + length, 0);
      const result = await load(url, some);
      speeds.push(Math.round((bundles * visits * each) / result.seconds));
      latencies.push(...result.latencies);
    }
    const after = place.usage("fhir");
    const sent = bundles * rounds * visits * each;
    const memory = (name: string): Measure => ({
      name,
      value: Math.round(place.usage("fhir").peakBytes / 1e6),
      unit: "MB",
    });
    const soFar = memory("peak resident memory of the connector");
    const large: Measure[] = [];
    if (options.large !== false) {
      const folder = place.addresses.find(({ protocol, partner }) => protocol === "file" && partner === "generic")?.url;
      const { seconds, bytes: size } = await dropFile(
        fileURLToPath(folder ?? ""),
        "bulk.ndjson",
        ".outcome.json",
        (path) => writePieces(path, linesOf(number, number + largeVisits)),
      );
      const name = `accepted from one bulk file of ${Math.round(size / 1e6)} MB`;
      large.push({ name, value: Math.round((largeVisits * each) / seconds), unit: "resources/s" });
      large.push({ ...memory("peak resident memory of the connector after it"), atMost: 300 });
    }
    latencies.sort((left, right) => left - right);
    return {
      measures: [
        {
          name: `accepted in bundles (${Math.round(bytes / sent)} bytes a resource), best of ${speeds.join(", ")}`,
          value: Math.max(...speeds),
          unit: "resources/s",
          atLeast: 1_500,
        },
        {
          name: "p99 of a bundle's answer",
          value: Math.round(latencies[Math.floor(latencies.length * 0.99)]!),
          unit: "ms",
        },
        {
          name: "CPU of the connector",
          value: Math.round(((after.cpuSeconds - before.cpuSeconds) / sent) * 1e6),
          unit: "s a million resources",
        },
        soFar,
        ...large,
      ],
      checked: [await checkJournal(place, sent + 40 * visits * each + (large.length > 0 ? largeVisits * each : 0))],
    };
  },
};

export default part;
