import type { Command } from "commander";
import { checkUnit } from "../engine/intake/check-unit.js";
import { keyedHash } from "../engine/intake/keyed-hash.js";
import { surrogates } from "../engine/intake/surrogate.js";
import { standaloneCodec } from "../engine/log/codec.js";
import { loadConnector, loadProfiles } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { readSettings } from "../engine/service/settings.js";
import { print, printJson } from "./output.js";
import { lineOf, readInput } from "./send.js";

/** A secret of nobody: the ids made with it leave this process nowhere. */
const noSecret = "00".repeat(32);

export function registerValidate(command: Command): void {
  command
    .argument("<file...>", "files to judge, in this order")
    .requiredOption("--to <connector>", "connector (see `producers list`)")
    .option("--partner <partner>", "partner by whose profile they are judged", "generic")
    .option("--json", "one JSON object a unit")
    .addHelpText(
      "after",
      "\nNothing is sent and nothing is kept. Exit code 0: every unit would be accepted; 2: some would not.",
    )
    .action(async (files: string[], options: { to: string; partner: string; json?: boolean }) => {
      const settings = readSettings();
      const connector = await loadConnector(options.to);
      if (connector.validate === undefined) {
        throw new TributaryError(
          "TRIB_CLI_NO_VALIDATION",
          `The connector ${connector.name} judges no files by themselves.`,
        );
      }
      const profiles = loadProfiles(connector, settings.TRIBUTARY_ENV === "production");
      const context = {
        codec: standaloneCodec(),
        connector,
        unitLimit: settings.INTAKE_UNIT_LIMIT,
        eventLimit: 900_000,
      };
      const surrogate = surrogates(keyedHash(noSecret));
      let rejected = 0;
      for (const file of files) {
        const request = { profiles, surrogate, partner: options.partner, file, bytes: readInput(file) };
        for await (const line of connector.validate({ ...request, check: (unit) => checkUnit(unit, context) })) {
          if (!line.accepted) rejected += 1;
          if (options.json) printJson(line);
          else print(lineOf(line));
        }
      }
      process.exitCode = rejected > 0 ? 2 : 0;
    });
}
