import { join } from "node:path";
import { TributaryError } from "../../engine/service/errors.js";
import { run } from "../commands.js";
import { versions } from "../versions.js";

/** The feature release in the output of `java -version`: 17 for `17.0.15`, 8 for `1.8.0_402`. */
export function javaRelease(output: string): number | undefined {
  const found = /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  return found === undefined ? undefined : Number(found);
}

/**
 * The Java to run the services with: that of `JAVA_HOME`, else the first on the path.
 * @throws TRIB_STACK_JAVA_MISSING, TRIB_STACK_JAVA_TOO_OLD
 */
export async function findJava(environment: NodeJS.ProcessEnv): Promise<string> {
  const command = environment.JAVA_HOME ? join(environment.JAVA_HOME, "bin", "java") : "java";
  const answer = await run(command, ["-version"], { environment, limit: 20_000 });
  const release = javaRelease(answer.output);
  if (answer.missing || release === undefined) {
    throw new TributaryError("TRIB_STACK_JAVA_MISSING", `\`${command} -version\` does not run.`);
  }
  if (release < versions.javaAtLeast) {
    throw new TributaryError(
      "TRIB_STACK_JAVA_TOO_OLD",
      `${command} is Java ${release}; the local stack needs ${versions.javaAtLeast} or newer.`,
      { found: release },
    );
  }
  return command;
}
