import { endWithReader } from "./broken-pipe.js";
import { addCommands } from "./commands.js";
import { exitCodeOf } from "./exit-codes.js";
import { makeProgram } from "./program.js";

endWithReader();
try {
  const program = makeProgram();
  // Only what is called is loaded: help and small commands answer at once.
  const words = new Set(process.argv.slice(2));
  await addCommands(program, (name) => words.has(name));
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
