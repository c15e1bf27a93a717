import type { Command } from "commander";
import { printNotaryGrants } from "../engine/audit/roles.js";
import { listBuilds } from "../engine/projector/build.js";
import { printGrants } from "../engine/projector/roles.js";
import { consumerNames, loadConsumer } from "../engine/service/discover.js";
import { registered } from "../engine/service/registration.js";
import { runInForeground } from "./foreground.js";
import { openInstallation } from "./installation.js";
import { print, printJson, printTable } from "./output.js";
import { withPool } from "./pool.js";
import { restarted } from "./restart.js";
import { consumerScaffold } from "./scaffold/consumer.js";
import { deliveryScaffold } from "./scaffold/delivery.js";
import { writeScaffold } from "./scaffold/write.js";

export function registerConsumers(command: Command): void {
  command
    .command("list")
    .description(
      "consumers found in consumers/, the read models they keep or the events they deliver, and their processes",
    )
    .option("--json", "one JSON array")
    .action(async (options: { json?: boolean }) => {
      const { settings } = await openInstallation();
      const running = registered(settings.TRIBUTARY_HOME).filter(({ kind }) => kind === "consumer");
      const rows = [];
      for (const name of consumerNames()) {
        const definition = await loadConsumer(name);
        rows.push({
          name,
          projections: definition.project.map((projection) => `${projection.name} v${projection.version}`),
          delivers: definition.deliver?.events ?? [],
          pids: running.filter((process) => process.name === name).map(({ pid }) => pid),
        });
      }
      if (options.json) printJson(rows);
      else
        printTable(
          rows.map((row) => ({
            ...row,
            projections: row.projections.join(", ") || null,
            delivers: row.delivers.join(", ") || null,
            pids: row.pids.join(", ") || null,
          })),
        );
    });
  command
    .command("run")
    .argument("<name>", "consumer")
    .description("run one more instance of a consumer in the foreground")
    .action((name: string) => runInForeground("consumer", name));
  command
    .command("new")
    .argument("<name>", "lower-case letters, digits and hyphens")
    .option("--delivers", "one that delivers to a partner instead: one folder")
    .description("write a consumer and its projection: two folders that run and pass their own spec at once")
    .action((name: string, options: { delivers?: boolean }) => {
      if (options.delivers) {
        writeScaffold(name, deliveryScaffold);
        print(`Test it:  npx vitest run --project unit consumers/${name}`);
        print(`Then put ${name}.url and ${name}.whsec into the folder of credentials: docs/delivering.md`);
        print(`Run it:   npx tributary consumers run ${name}     (or: npx tributary run ${name})`);
        return;
      }
      writeScaffold(name, consumerScaffold);
      print(`Test it:  npx vitest run --project unit projections/${name.replaceAll("-", "_")}`);
      print(`Run it:   npx tributary consumers run ${name}     (or: npx tributary run ${name})`);
    });
  command
    .command("restart")
    .argument("<name>", "consumer that runs under `tributary run`")
    .description(
      "stop a consumer when it has done what is in hand, and wait until it is back with its code as built now",
    )
    .action(async (name: string) => {
      await loadConsumer(name);
      const { settings } = await openInstallation();
      const { pid } = await restarted(settings.TRIBUTARY_HOME, "consumer", name);
      print(`${name} runs as process ${pid}`);
    });
  command
    .command("grants")
    .argument("<name>", "consumer")
    .description("the Postgres role and the Kafka rights of a consumer, derived from its definition, as statements")
    .action(async (name: string) => {
      const definition = await loadConsumer(name);
      await withPool(async (pool, { settings }) => {
        const { notarize } = definition;
        if (notarize) {
          print(printNotaryGrants({ ...definition, notarize }, settings.TOPIC_PREFIX));
          return;
        }
        const builds = (await listBuilds(pool)).filter(({ consumer }) => consumer === name);
        const schemas = builds.map(({ schema }) => schema);
        print(printGrants(definition, { schemas, topicPrefix: settings.TOPIC_PREFIX }));
      });
    });
}
