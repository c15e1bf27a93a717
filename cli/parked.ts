import type { Command } from "commander";
import type { EventPlace } from "../engine/projector/decisions.js";
import { listParked, type ParkedKey, showParked } from "../engine/projector/parked.js";
import { type AskedAbout, requestsAbout } from "../engine/projector/requests.js";
import { keeperNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { instantText } from "./audit-options.js";
import { countOf } from "./instant.js";
import { print, printJson, printTable } from "./output.js";
import { placeOf, registerParkedRequests } from "./parked-requests.js";
import { withPool } from "./pool.js";
import { textGiven } from "./texts.js";

/** As people read it: instants in ISO 8601, in UTC. */
function readableParked(found: Partial<ParkedKey>, decisions: readonly AskedAbout[]) {
  const { parkedAt, ...facts } = found;
  return {
    ...facts,
    ...(parkedAt === undefined ? {} : { parkedAt: instantText(parkedAt) }),
    decisions: decisions.map(({ requestedAt, carriedOutAt, ...decision }) => ({
      ...decision,
      requestedAt: instantText(requestedAt),
      carriedOutAt: instantText(carriedOutAt),
    })),
  };
}

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
        if (json) printJson(rows.map((row) => ({ ...row, parkedAt: instantText(row.parkedAt) })));
        else {
          printTable(
            rows.map(({ projection, topic, partition, offset, key, eventType, code, parkedAt }) => ({
              projection,
              place: `${topic}/${partition}/${offset}`,
              key,
              event: eventType,
              code,
              since: instantText(parkedAt),
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
    .description("one parked key with its reason, and what operators decided about it")
    .option("--json", "one JSON object")
    .action(async (projection: string, place: EventPlace, options: { json?: boolean }) => {
      await keeperNamed(projection);
      await withPool(async (pool) => {
        const found = await showParked(pool, { projection, ...place });
        const decisions = await requestsAbout(pool, { projection, ...place });
        if (!found && decisions.length === 0)
          throw new TributaryError(
            "TRIB_CLI_NOT_FOUND",
            `Nothing of ${projection} is parked at ${place.topic}/${place.partition}/${place.offset}.`,
          );
        const told = readableParked(found ?? { projection, ...place, state: "done" }, decisions);
        if (options.json) {
          printJson(told);
          return;
        }
        const { decisions: decided, ...facts } = told;
        for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(12)}${value ?? "-"}`);
        for (const { action, requestedBy, requestedAt, reason, state, outcome } of decided) {
          const why = reason === null ? "" : `: ${reason}`;
          print(`${action.padEnd(12)}by ${requestedBy} at ${requestedAt}${why} (${outcome ?? state})`);
        }
      });
    });
  registerParkedRequests(command);
}
