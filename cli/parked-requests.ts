import { userInfo } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { EventPlace, RequestedAction } from "../engine/projector/decisions.js";
import { listParked, mayBeParked, showParked } from "../engine/projector/parked.js";
import { type RequestOutcome, requestDecisions, requestOutcomes } from "../engine/projector/requests.js";
import { keeperNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import type { Pool } from "../engine/store/pool.js";
import { confirm } from "./confirm.js";
import { secondsOf } from "./instant.js";
import { assertAlone, misuse } from "./misuse.js";
import { printJson, printTable } from "./output.js";
import { withPool } from "./pool.js";
import { nameGiven, textGiven } from "./texts.js";

interface RequestOptions {
  readonly reason?: string;
  readonly by?: string;
  readonly timeout: number;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `topic/partition/offset`, as `parked list` prints it. */
export function placeOf(text: string): EventPlace {
  const [, topic, partition, offset] = /^(.+)\/(\d+)\/(\d+)$/.exec(text) ?? [];
  if (topic === undefined) throw new InvalidArgumentError("topic/partition/offset is needed.");
  return { topic, partition: Number(partition), offset: Number(offset) };
}

const nameOf = ({ topic, partition, offset }: EventPlace) => `${topic}/${partition}/${offset}`;

const nothingParked = (projection: string, where: string) =>
  new TributaryError("TRIB_CLI_NOT_FOUND", `Nothing of ${projection} is parked${where && ` ${where}`}.`);

async function assertParked(pool: Pool, projection: string, place: EventPlace): Promise<void> {
  const found = await showParked(pool, { projection, ...place });
  if (found?.state !== "parked") throw nothingParked(projection, `at ${nameOf(place)}`);
}

const isOpen = ({ state }: RequestOutcome) => state === "requested" || state === "decided";
const isParkedAgain = ({ outcome }: RequestOutcome) => outcome?.includes("; parked again at ") ?? false;

async function untilAnswered(pool: Pool, decisions: readonly string[], options: RequestOptions) {
  const end = Date.now() + options.timeout * 1000;
  for (;;) {
    const outcomes = await requestOutcomes(pool, decisions);
    if (!options.wait || !outcomes.some(isOpen) || Date.now() > end) return outcomes;
    await pause(200);
  }
}

/** Asks the partitions' owners, waits for what they say, and prints it. */
async function ask(
  pool: Pool,
  projection: string,
  action: RequestedAction,
  places: readonly EventPlace[],
  options: RequestOptions,
): Promise<void> {
  const { reason, by = userInfo().username } = options;
  const decisions = await requestDecisions(pool, { projection, action, places, reason, by });
  const outcomes = await untilAnswered(pool, decisions, options);
  const rows = outcomes.map((one) => ({
    place: nameOf(one),
    action: one.action,
    state: one.state,
    parkedAgain: isParkedAgain(one),
    outcome: one.outcome,
  }));
  if (options.json) printJson(rows);
  else printTable(rows.map(({ place, state, outcome }) => ({ place, state, outcome })));
  if (outcomes.some(({ state }) => state === "refused")) throw new TributaryError("TRIB_PROJECT_REQUEST_REFUSED");
  if (options.wait && outcomes.some(isOpen)) throw new TributaryError("TRIB_PROJECT_REQUEST_TIMEOUT");
  if (outcomes.some(isParkedAgain)) process.exitCode = 2;
}

const withShared = (command: Command) =>
  command
    .option("--by <name>", "who decides, for the audit; default the name you are logged in with", nameGiven)
    .option("--timeout <seconds>", "give up waiting after this time; it stays asked for", secondsOf, 60)
    .option("--no-wait", "return once it is asked for")
    .option("--json", "one JSON array");

const withReason = (command: Command) =>
  command
    .argument("<projection>")
    .argument("<place>", "topic/partition/offset of the event", placeOf)
    .requiredOption("--reason <text>", "why, for the audit", textGiven)
    .option("--yes", "don't ask");

export function registerParkedRequests(command: Command): void {
  withShared(
    command
      .command("retry")
      .argument("<projection>")
      .argument("[place]", "topic/partition/offset, as `parked list` prints it", placeOf)
      .description("apply a parked event again, and what waits behind it, in order; exit code 2 when it parks again")
      .option("--all", "every parked key of the projection")
      .option("--code <code>", "every key parked for this reason")
      .option("--reason <text>", "why, for the audit", textGiven),
  ).action(
    async (
      projection: string,
      place: EventPlace | undefined,
      options: RequestOptions & { all?: true; code?: string },
    ) => {
      assertAlone({ "a place": place, "--all": options.all, "--code": options.code });
      if (!place && !options.all && options.code === undefined)
        throw misuse("One of a place, --all or --code is needed.");
      await keeperNamed(projection);
      await withPool(async (pool) => {
        if (place) await assertParked(pool, projection, place);
        const places = place
          ? [place]
          : (await listParked(pool, { projection, limit: 1_000_000 })).filter(
              ({ code }) => options.all || code === options.code,
            );
        if (places.length === 0) throw nothingParked(projection, options.code ? `for ${options.code}` : "");
        await ask(pool, projection, "retry", places, options);
      });
    },
  );
  withShared(
    withReason(
      command.command("skip").description("never apply a parked event; what waits behind it is applied, in order"),
    ),
  ).action(async (projection: string, place: EventPlace, options: RequestOptions) => {
    await keeperNamed(projection);
    await withPool(async (pool) => {
      await assertParked(pool, projection, place);
      await confirm(`The event at ${nameOf(place)} will never be part of ${projection}.`, options.yes);
      await ask(pool, projection, "skip", [place], options);
    });
  });
  withShared(
    withReason(
      command
        .command("park")
        .description("park the key of an event that stops the projection, without applying it; the others go on"),
    ),
  ).action(async (projection: string, place: EventPlace, options: RequestOptions) => {
    await keeperNamed(projection);
    await withPool(async (pool) => {
      if (!(await mayBeParked(pool, { projection, ...place })))
        throw new TributaryError(
          "TRIB_PROJECT_REQUEST_REFUSED",
          `${projection} does not read ${nameOf(place)}, or has handled it already.`,
        );
      await confirm(`The key of the event at ${nameOf(place)} will be held back in ${projection}.`, options.yes);
      await ask(pool, projection, "park", [place], options);
    });
  });
}
