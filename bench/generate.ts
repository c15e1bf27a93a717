import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bounded, endlessDeliveries } from "../demo/load.js";

export interface GeneratorSpeed {
  readonly messages: number;
  readonly seconds: number;
  readonly messagesPerSecond: number;
  readonly medianBytes: number;
  readonly bytes: number;
}

/**
 * How fast this machine makes complete HL7 v2 messages, planning included, into nothing, on one core.
 * @param count messages; default 200,000. A tenth of it is made before, unmeasured.
 */
export function measureGenerator(seed: string, count = 200_000): GeneratorSpeed {
  for (const _ of bounded(endlessDeliveries({ seed: `${seed}/warm` }), Math.ceil(count / 10)));
  const sizes = new Uint32Array(count);
  let made = 0;
  const began = performance.now();
  for (const { bytes } of bounded(endlessDeliveries({ seed }), count)) sizes[made++] = bytes.length;
  const seconds = (performance.now() - began) / 1000;
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  sizes.sort();
  return {
    messages: made,
    seconds: Math.round(seconds * 1000) / 1000,
    messagesPerSecond: Math.round(made / seconds),
    medianBytes: sizes[made >> 1] ?? 0,
    bytes,
  };
}

/** The command `bench generate`: `--messages N`, `--seed TEXT`, `--json`. */
export function runGenerate(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: { messages: { type: "string" }, seed: { type: "string" }, json: { type: "boolean" } },
  });
  const count = Number(values.messages ?? 200_000);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError(`--messages must be a whole number above 0, not ${values.messages}`);
  const speed = measureGenerator(values.seed ?? "bench", count);
  const words = `${speed.messagesPerSecond} messages/s, median ${speed.medianBytes} bytes (${speed.messages} in ${speed.seconds} s)`;
  process.stdout.write(`${values.json === true ? JSON.stringify(speed) : words}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  runGenerate(process.argv.slice(2));
