import type { Command } from "commander";
import { prepareInstallation } from "../engine/service/prepare.js";
import { readSettings } from "../engine/service/settings.js";
import { startStack } from "../stack/stack.js";
import { openInstallation } from "./installation.js";
import { print, printJson } from "./output.js";
import { describeProgress } from "./progress.js";

export function registerUp(command: Command): void {
  command
    .option("--json", "print the services as one JSON object")
    .addHelpText(
      "after",
      `
Takes the services that settings name (KAFKA_BROKERS, SCHEMA_REGISTRY_URL, DATABASE_URL); else Docker Compose; else
runs Kafka and the registry with Java 17+ and Maven, and Postgres from a package, under TRIBUTARY_HOME. Idempotent.`,
    )
    .action(async (options: { json?: boolean }) => {
      const report = options.json ? () => {} : print;
      const services = await startStack({
        home: readSettings().TRIBUTARY_HOME,
        environment: process.env,
        report: (progress) => report(describeProgress(progress)),
      });
      const installation = await openInstallation();
      await prepareInstallation(installation, (step) => report(`prepared  ${step}`));
      if (options.json) printJson(services);
      else {
        print();
        print(`kafka     ${services.kafkaBrokers}`);
        print(`registry  ${services.registryUrl}`);
        print(`postgres  ${installation.database.shown}`);
        print(`          ${installation.database.whole}`);
      }
    });
}
