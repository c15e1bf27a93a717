import type { Command } from "commander";
import type { EventPlace } from "../engine/projector/decisions.js";
import { listParked, showParked } from "../engine/projector/parked.js";
import { keeperNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { countOf } from "./instant.js";
import { print, printJson, printTable } from "./output.js";
import { placeOf, registerParkedRequests } from "./parked-requests.js";
import { withPool } from "./pool.js";
import { textGiven } from "./texts.js";

export function registerParked(command: Command): void {
  command
    .command("list")
    .description("every parked key, of read models and of deliveries: where, since when, why")
    .option("--projection <name>", "of one projection, or one delivering consumer")
    .option("--key <id>", "of one entity", textGiven)
    .option("--limit <n>", "at most so many; standard error says when there are more", countOf, 1_000)
    .option("--json", "one JSON array")
    .action(async (options: { projection?: string; key?: string; limit: number; json?: boolean }) => {
      // Nothing parked of a name that is none would look like good news.
      if (options.projection !== undefined) await keeperNamed(options.projection);
      await withPool(async (pool) => {
        const { json, limit: _, ...filter } = options;
        const most = options.limit;
        const found = await listParked(pool, { ...filter, limit: most + 1 });
        const rows = found.slice(0, most);
        if (json) printJson(rows);
        else {
          printTable(
            rows.map(({ projection, topic, partition, offset, key, eventType, code, parkedAt }) => ({
              projection,
              place: `${topic}/${partition}/${offset}`,
              key,
              event: eventType,
              code,
              since: new Date(parkedAt).toISOString(),
            })),
          );
        }
        if (found.length > most) process.stderr.write(`the first ${most} of more: give --limit or a filter\n`);
      });
    });
  command
    .command("show")
    .argument("<projection>")
    .argument("<place>", "topic/partition/offset, as `parked list` prints it", placeOf)
    .description("one parked key with its reason")
    .option("--json", "one JSON object")
    .action(async (projection: string, place: EventPlace, options: { json?: boolean }) => {
      await keeperNamed(projection);
      await withPool(async (pool) => {
        const found = await showParked(pool, { projection, ...place });
        if (!found)
          throw new TributaryError(
            "TRIB_CLI_NOT_FOUND",
            `Nothing of ${projection} is parked at ${place.topic}/${place.partition}/${place.offset}.`,
          );
        if (options.json) printJson(found);
        else for (const [name, value] of Object.entries(found)) print(`${name.padEnd(12)}${value ?? "-"}`);
      });
    });
  registerParkedRequests(command);
}
