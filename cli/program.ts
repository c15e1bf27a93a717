import { Command } from "commander";
import { exitCodesText } from "./exit-codes.js";
import { codeVersion } from "./version.js";

/** The command line without its commands. It throws where it would end the process. */
export const makeProgram = (): Command =>
  new Command("tributary")
    .description(
      "Event-sourced integration for health care and insurance: partners' messages become events in Kafka and rows in Postgres.",
    )
    .version(codeVersion)
    .showHelpAfterError("(see --help)")
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .exitOverride()
    .addHelpText(
      "after",
      `
First steps:
  tributary up                      start or find Kafka, the schema registry and Postgres, and prepare them
  tributary run                     start every connector, the publisher and every consumer
  tributary send FILE --to hl7v2    send messages as a partner would
  tributary projections await       wait until the read models have applied them
  tributary status                  what runs, where, how far behind

Exit codes: ${exitCodesText}.`,
    );
