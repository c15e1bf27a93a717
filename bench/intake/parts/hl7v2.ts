import { checkFarEnd } from "../far-end.js";
import { regionLanes } from "../hl7v2-messages.js";
import { type LoadResult, loadAtFullSpeed, loadAtRate, percentile } from "../mllp-load.js";
import type { IntakeBenchPart, Measure } from "../part.js";

const connections = 16;
/** Messages that one connection has on the way; a sender that waits for each answer has one. */
const window = 16;
const warmUp = 4_000;
/** Rounds of the throughput run: on a machine that others use too, the best one tells most of the connector. */
const rounds = 3;

const round = (value: number): number => Math.round(value * 10) / 10;

function expectAccepted({ refused }: LoadResult): void {
  if (refused > 0) throw new Error(`${refused} messages were not accepted`);
}

const part: IntakeBenchPart = {
  connector: "hl7v2",
  about: `messages of the demo's region over ${connections} MLLP connections, counted when AA has come`,
  async run(place, options) {
    const url = place.addresses.find(({ partner }) => partner === undefined)?.url ?? "";
    const units = options.units ?? 60_000;
    const rate = options.rate ?? 1_000;
    const paced = rate * 15;
    const patient = Math.min(units, 20_000);
    const all = regionLanes("bench", warmUp + units + patient + paced, connections);
    // One stretch of the region after another, so that a patient's order holds over all of them.
    const cut = (from: number, to: number) => {
      const lanes: Buffer[][] = all.lanes.map(() => []);
      const order = all.order.slice(from, to);
      const taken = new Uint32Array(connections);
      for (const [at, lane] of all.order.slice(0, to).entries()) {
        const message = all.lanes[lane]?.[taken[lane] ?? 0];
        taken[lane] = (taken[lane] ?? 0) + 1;
        if (at >= from && message) lanes[lane]?.push(message);
      }
      return { lanes, order };
    };
    expectAccepted(await loadAtFullSpeed(url, cut(0, warmUp).lanes, window));
    const before = place.usage("hl7v2");
    const runs: LoadResult[] = [];
    for (let round = 0; round < rounds; round++) {
      const from = warmUp + Math.floor((units * round) / rounds);
      const run = await loadAtFullSpeed(
        url,
        cut(from, warmUp + Math.floor((units * (round + 1)) / rounds)).lanes,
        window,
      );
      expectAccepted(run);
      runs.push(run);
    }
    const after = place.usage("hl7v2");
    const speeds = runs.map(({ latencies, seconds }) => Math.round(latencies.length / seconds));
    const full = runs[speeds.indexOf(Math.max(...speeds))] as LoadResult;
    const waiting = await loadAtFullSpeed(url, cut(warmUp + units, warmUp + units + patient).lanes, 1);
    expectAccepted(waiting);
    const steady = cut(warmUp + units + patient, warmUp + units + patient + paced);
    const latency = await loadAtRate(url, steady.lanes, steady.order, rate);
    expectAccepted(latency);
    const measures: Measure[] = [
      {
        name: `accepted, ${window} on the way a connection, best of ${speeds.join(", ")}`,
        value: Math.max(...speeds),
        unit: "messages/s",
        atLeast: 3_000,
      },
      { name: "p99 of the answer at that speed", value: round(percentile(full.latencies, 0.99)), unit: "ms" },
      {
        name: "accepted, senders that wait for each answer",
        value: Math.round(patient / waiting.seconds),
        unit: "messages/s",
      },
      { name: `p50 of the answer at ${rate} messages/s`, value: round(percentile(latency.latencies, 0.5)), unit: "ms" },
      {
        name: `p99 of the answer at ${rate} messages/s`,
        value: round(percentile(latency.latencies, 0.99)),
        unit: "ms",
        atMost: 50,
      },
      {
        name: "CPU of the connector",
        value: round(((after.cpuSeconds - before.cpuSeconds) / units) * 1e6),
        unit: "s a million messages",
      },
      {
        name: "peak resident memory of the connector",
        value: Math.round(place.usage("hl7v2").peakBytes / 1e6),
        unit: "MB",
      },
    ];
    return { measures, checked: await checkFarEnd(place, all.lanes) };
  },
};

export default part;
