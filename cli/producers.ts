import type { Command } from "commander";
import { connectorNames, loadConnector } from "../engine/service/discover.js";
import { profilesOptions, readProfiles } from "../engine/service/profiles.js";
import { registered } from "../engine/service/registration.js";
import { printAddresses } from "./addresses.js";
import { runInForeground } from "./foreground.js";
import { openInstallation } from "./installation.js";
import { misuse } from "./misuse.js";
import { print, printJson, printTable } from "./output.js";
import { registerPartners } from "./partners.js";
import { connectorScaffold } from "./scaffold/connector.js";
import { connectorCopy } from "./scaffold/copy.js";
import { formatFiles } from "./scaffold/format.js";
import { writeScaffold } from "./scaffold/write.js";

export function registerProducers(command: Command): void {
  command
    .command("list")
    .description("connectors found in producers/, their partners, and where they listen")
    .option("--json", "one JSON array")
    .action(async (options: { json?: boolean }) => {
      const { settings } = await openInstallation();
      const running = registered(settings.TRIBUTARY_HOME);
      const rows = [];
      for (const name of connectorNames()) {
        const connector = await loadConnector(name);
        const { profiles, suspended } = readProfiles(connector, profilesOptions(settings));
        const process = running.find((entry) => entry.kind === "connector" && entry.name === name);
        rows.push({
          name,
          version: connector.version,
          partners: [...profiles.keys()],
          suspended: suspended.map(({ partner, error }) => ({ partner, code: error.code, reason: error.message })),
          addresses: (process?.addresses ?? []).map(({ url }) => url),
        });
      }
      if (options.json) printJson(rows);
      else {
        printTable(
          rows.map((row) => ({ ...row, partners: row.partners.join(", ") })),
          ["name", "version", "partners"],
        );
        for (const { name, suspended } of rows) for (const { reason } of suspended) print(`${name}: ${reason}`);
        for (const { name, addresses } of running) if (connectorNames().includes(name)) printAddresses(name, addresses);
      }
    });
  command
    .command("run")
    .argument("<name>", "connector")
    .description("run one connector in the foreground")
    .action((name: string) => runInForeground("connector", name));
  command
    .command("new")
    .argument("<name>", "lower-case letters, digits and hyphens")
    .option("--like <connector>", "begin with a copy of this connector instead of JSON over HTTP")
    .description(
      "write a connector: a folder that runs and passes its own specs at once, JSON over HTTP to begin with, or what another one does",
    )
    .action((name: string, { like }: { like?: string }) => newConnector(name, like));
  registerPartners(command);
}

function newConnector(name: string, like: string | undefined): void {
  if (like !== undefined && !connectorNames().includes(like)) {
    throw misuse(`There is no connector ${like}. There are: ${connectorNames().join(", ")}.`);
  }
  const written = writeScaffold(name, like === undefined ? connectorScaffold : (own) => connectorCopy(own, like));
  formatFiles(written);
  const sample = written.find((path) => path.includes("/samples/accepted"));
  print(`Test it:  npx vitest run --project unit producers/${name} test/connectors`);
  print(`Run it:   npx tributary producers run ${name}`);
  print(`Try it:   npx tributary send ${sample} --to ${name}`);
}
