import { join } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";
import { writeParts } from "./document.js";
import { thisMachine } from "./machine.js";
import { type BenchOptions, type PartName, partNames } from "./options.js";
import type { Ground } from "./place.js";
import { type MeasuredPart, type PartReport, renderPart } from "./report.js";

type Measure = (ground: Ground, options: BenchOptions) => Promise<PartReport>;

/** Only what is asked for is loaded. */
const parts: Readonly<Record<PartName, () => Promise<Measure>>> = {
  peers: async () => {
    const { measureBesidePeers } = await import("./peers.js");
    return measureBesidePeers;
  },
  processes: async () => {
    const { measureProcesses } = await import("./processes.js");
    return (ground, { events }) => measureProcesses(ground, events);
  },
  keys: async () => {
    const { measureKeys } = await import("./keys.js");
    return (ground, { events }) => measureKeys(ground, events);
  },
  idle: async () => {
    const { measureIdle } = await import("./idle.js");
    return (ground) => measureIdle(ground);
  },
  region: async () => {
    const { measureRegion } = await import("./region.js");
    return (ground, { events }) => measureRegion(ground, events);
  },
};

const documentPath = join(repositoryRoot, "docs/performance.md");

/**
 * Measures the projector, part by part, on the services of an installation; each part in a database and topics of its own.
 * @param print told each line of the report.
 */
export async function benchProjector(
  ground: Ground,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<readonly MeasuredPart[]> {
  const measured: MeasuredPart[] = [];
  for (const part of options.only) {
    const measure = await parts[part]();
    const report: MeasuredPart = {
      ...(await measure(ground, options)),
      machine: thisMachine(),
      date: new Date().toISOString().slice(0, 10),
      events: options.events,
    };
    measured.push(report);
    // What is measured is not lost when a later part fails.
    if (options.write) writeParts(documentPath, [report], partNames);
    print(options.json ? JSON.stringify(report) : `${renderPart(report)}\n`);
  }
  return measured;
}
