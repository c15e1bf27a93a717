import type { Command } from "commander";
import { dryIntake } from "../engine/intake/dry-intake.js";
import { loadConnector } from "../engine/service/discover.js";
import { loadProfiles } from "../engine/service/profiles.js";
import { openRehearsal } from "../engine/service/rehearsal.js";
import { readSettings } from "../engine/service/settings.js";
import { readGiven } from "./misuse.js";
import { print, printJson } from "./output.js";
import { assertPartner } from "./partner-proof.js";
import { lineOf } from "./send.js";

export function registerValidate(command: Command): void {
  command
    .argument("<file...>", "files to check, in this order")
    .requiredOption("--to <connector>", "connector (see `producers list`)")
    .option("--partner <partner>", "partner that would send", "generic")
    .option("--json", "one JSON object a unit")
    .addHelpText(
      "after",
      "\nNothing is stored, and nothing needs to run. Exit code 0: every unit would be accepted; 2: some would be rejected.",
    )
    .action(async (files: string[], options: { to: string; partner: string; json?: boolean }, self: Command) => {
      const connector = await loadConnector(options.to);
      const intake = dryIntake(connector, readSettings({}).INTAKE_UNIT_LIMIT);
      const profiles = loadProfiles(connector, false);
      assertPartner(profiles, options.partner);
      const contents = files.map((file) => ({ file, bytes: readGiven(file) }));
      // The connector itself, on free ports, over its own protocol: what is told here is what a partner would be told.
      const receiver = await openRehearsal(connector, { intake, profiles });
      // Where nobody is named, who sends is told as in earnest: by the message, not by an address that only a rehearsal has.
      const shared = receiver.addresses.filter(({ partner }) => partner === undefined);
      const isNamed = self.getOptionValueSource("partner") !== "default" || shared.length === 0;
      const addresses = isNamed ? receiver.addresses : shared;
      let rejected = 0;
      try {
        for (const { file, bytes } of contents) {
          const request = { addresses, partner: options.partner, file, bytes };
          for await (const line of connector.send(request)) {
            if (!line.accepted) rejected += 1;
            if (options.json) printJson(line);
            else print(lineOf(line));
          }
        }
      } finally {
        await receiver.close();
      }
      if (!options.json) {
        // A sender that is told by its message may be another than the one asked for.
        for (const [partner, count] of intake.partners) print(`from ${partner}: ${count}`);
        for (const [flag, count] of intake.flags) print(`flagged ${flag}: ${count}`);
        for (const [type, count] of intake.events) print(`would make ${type}: ${count}`);
      }
      process.exitCode = rejected > 0 ? 2 : 0;
    });
}
