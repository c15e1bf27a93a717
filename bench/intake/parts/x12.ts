import { fileURLToPath } from "node:url";
import { decodeEntries } from "../../../engine/intake/decode-entries.js";
import { connectCodec } from "../../../engine/log/registry.js";
import { journalTopic } from "../../../engine/log/schemas.js";
import { dropFile } from "../drop.js";
import type { IntakeBenchPart } from "../part.js";
import type { BenchPlace } from "../place.js";
import { writeX12File } from "../x12-claims.js";

/** Rounds of the throughput run: on a machine that others use too, the best one tells most of the connector. */
const rounds = 3;
const warmUp = 10_000;
/** Claims of the large file: more than 100 MB. */
const large = 270_000;

const drop = (folder: string, claims: number, control: number) =>
  dropFile(folder, `claims-${control}.837`, ".999", (path) => writeX12File(path, { claims, control }));

/** @throws Error when the journal does not hold every claim once, in the order of the files. */
async function checkJournal(place: BenchPlace, claims: number): Promise<string> {
  const codec = await connectCodec(place.settings);
  const seen = new Set<string>();
  for (const { partition, low, high } of await place.log.watermarks(journalTopic)) {
    let before: readonly [string, number] | undefined;
    for await (const records of place.log.read(journalTopic, partition, low, high)) {
      for (const { entry, accepted, transport, events } of await decodeEntries(codec, records)) {
        if (!transport) continue;
        const { transmissionId, ordinal } = transport;
        if (before?.[0] === transmissionId && ordinal !== before[1] + 1) throw new Error("slices out of order");
        before = [transmissionId, ordinal];
        if (entry !== "UNIT") continue;
        if (!accepted || events.length !== 1) throw new Error("a claim was not accepted, or made no event");
        seen.add(events[0]!.key);
      }
    }
  }
  if (seen.size !== claims) throw new Error(`${claims} claims were answered, the journal has ${seen.size}`);
  return `all ${claims} claims are in the journal, once, every file's slices in order without a gap`;
}

const part: IntakeBenchPart = {
  connector: "x12",
  about: "837 professional claims of two lines (400 bytes) in dropped files, counted when the 999 stands in its file",
  async run(place, options) {
    const folder = fileURLToPath(
      place.addresses.find(({ protocol, partner }) => protocol === "file" && partner === "generic")!.url,
    );
    const units = options.units ?? 90_000;
    const each = Math.floor(units / rounds);
    await drop(folder, warmUp, 1);
    const before = place.usage("x12");
    const speeds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { seconds } = await drop(folder, each, round + 2);
      speeds.push(Math.round(each / seconds));
    }
    const after = place.usage("x12");
    const largest = options.large === false ? 0 : large;
    const file = largest > 0 && (await drop(folder, largest, rounds + 2));
    return {
      measures: [
        {
          name: `accepted from files of ${each}, best of ${speeds.join(", ")}`,
          value: Math.max(...speeds),
          unit: "claims/s",
          atLeast: 5_000,
        },
        ...(file
          ? [
              {
                name: `accepted from one file of ${Math.round(file.bytes / 1e6)} MB`,
                value: Math.round(largest / file.seconds),
                unit: "claims/s",
              },
            ]
          : []),
        {
          name: "CPU of the connector",
          value: Math.round(((after.cpuSeconds - before.cpuSeconds) / (each * rounds)) * 1e6),
          unit: "s a million claims",
        },
        {
          name: "peak resident memory of the connector",
          value: Math.round(place.usage("x12").peakBytes / 1e6),
          unit: "MB",
          atMost: 300,
        },
      ],
      checked: [await checkJournal(place, warmUp + each * rounds + largest)],
    };
  },
};

export default part;
