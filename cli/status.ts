import type { Command } from "commander";
import { TributaryError } from "../engine/service/errors.js";
import { processStatuses, progressOf, type Status, servicesOf } from "../engine/service/status.js";
import { printAddresses } from "./addresses.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";

/** One object also where Kafka or Postgres can't be asked: it says so, and so does the exit code. */
async function printWhole(
  known: Pick<Status, "services" | "processes">,
  progress: Promise<Pick<Status, "projections" | "deliveries">>,
): Promise<void> {
  try {
    printJson({ ...known, ...(await progress) });
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error;
    const unavailable = { code: error.code, message: error.message };
    printJson({ ...known, projections: [], deliveries: [], unavailable });
    process.exitCode = error.definition.exitCode;
  }
}

export function registerStatus(command: Command): void {
  command.option("--json", "one JSON object").action((options: { json?: boolean }) =>
    withLog(async ({ log, pool, settings, database }) => {
      const services = servicesOf(settings);
      // What waits for Kafka or Postgres keeps nobody from learning of the rest.
      const progress = progressOf(pool, log);
      progress.catch(() => {});
      const processes = await processStatuses(settings);
      if (options.json) {
        await printWhole({ services, processes }, progress);
        return;
      }
      print(`kafka     ${services.kafka.brokers}`);
      print(`registry  ${services.registry.url}`);
      print(`postgres  ${database.shown}`);
      print(`          ${database.whole}`);
      print();
      printTable(
        processes.map((process) => ({ ...process })),
        ["name", "kind", "pid", "state", "ready", "admin"],
      );
      for (const { name, suspended = [] } of processes)
        for (const { partner, reason } of suspended) print(`${name} does not let ${partner} in: ${reason}`);
      for (const { name, addresses } of processes) printAddresses(name, addresses);
      print();
      const status = await progress;
      printTable(
        status.projections.map((build) => ({ ...build, lagSeconds: build.lagSeconds.toFixed(1) })),
        ["name", "build", "schema", "state", "lagEvents", "lagSeconds", "parkedKeys", "leftOutRows"],
      );
      if (status.deliveries.length === 0) return;
      print();
      printTable(
        status.deliveries.map(({ lastAttempt, ...delivery }) => ({
          ...delivery,
          lagSeconds: delivery.lagSeconds.toFixed(1),
          lastAttempt: lastAttempt && `${lastAttempt.at} (${lastAttempt.answer ?? "no answer"})`,
        })),
        ["name", "to", "lagEvents", "lagSeconds", "parkedKeys", "lastDelivery", "lastAttempt"],
      );
    }),
  );
}
