import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TributaryError } from "../engine/service/errors.js";
import { readSettings } from "../engine/service/settings.js";
import { findStack, settingsOf, startStack, stopStack } from "./stack.js";

const environment = process.env;
const home = readSettings(environment).TRIBUTARY_HOME;
const report = (progress: object) => console.log(JSON.stringify(progress));
const startedAt = performance.now();

try {
  if (process.argv[2] === "up") {
    const settings = settingsOf(await startStack({ home, environment, report }));
    const file = join(home, "env.sh");
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([name, value]) => `export ${name}='${value}'\n`)
        .join(""),
    );
    chmodSync(file, 0o600);
    console.log(`up in ${Math.round(performance.now() - startedAt)} ms: ${file}`);
  } else if (process.argv[2] === "down") await stopStack(home, { environment, report });
  else console.log(await findStack(home, environment));
} catch (error) {
  if (!(error instanceof TributaryError)) throw error;
  console.error(`${error.code}: ${error.message}\n${error.definition.remedy}`);
  process.exitCode = error.definition.exitCode;
}
