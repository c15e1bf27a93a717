import { Command, CommanderError, InvalidArgumentError } from "commander";
import { addCommands } from "./commands.js";
import { reportError } from "./output.js";
import { codeVersion } from "./version.js";

const program = new Command("tributary")
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

Exit codes: 0 done, 1 could not be reached or done, 2 done but something was refused or differs, 3 tampered with, 64 wrong call, 78 wrong settings.`,
  );

try {
  // Only what is called is loaded: help and small commands answer at once.
  const words = new Set(process.argv.slice(2));
  await addCommands(program, (name) => words.has(name));
  await program.parseAsync();
} catch (error) {
  // Thrown within an action nobody has said it yet.
  if (error instanceof InvalidArgumentError) process.stderr.write(`error: ${error.message}\n(see --help)\n`);
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 64;
  else process.exitCode = reportError(error);
}
