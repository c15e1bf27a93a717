import type { Command } from "commander";
import { readStatus } from "../engine/service/status.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";

export function registerStatus(command: Command): void {
  command.option("--json", "one JSON object").action((options: { json?: boolean }) =>
    withLog(async ({ log, pool, settings, database }) => {
      const status = await readStatus(settings, pool, log);
      if (options.json) {
        printJson(status);
        return;
      }
      print(`kafka     ${status.services.kafka.brokers}`);
      print(`registry  ${status.services.registry.url}`);
      print(`postgres  ${database.shown}`);
      print(`          ${database.whole}`);
      print();
      printTable(
        status.processes.map(({ addresses, ...process }) => ({
          ...process,
          addresses: addresses.map(({ url }) => url).join(" "),
        })),
        ["name", "kind", "pid", "state", "ready", "addresses", "admin"],
      );
      print();
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
