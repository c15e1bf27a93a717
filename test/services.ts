import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";
import { settingsOf } from "../stack/services.js";
import { startStack, stopStack } from "../stack/stack.js";

/**
 * Real Kafka, registry and Postgres for the tests: those that settings name, else a local stack of their own, in a
 * folder that is removed afterwards. Downloads are shared with the user's own stack.
 */
export default async function services(): Promise<() => Promise<void>> {
  // Tests run from the sources; the processes that they start are built ones.
  execFileSync(process.execPath, [join(repositoryRoot, "bin/build.mjs")], { stdio: "inherit" });
  const home = mkdtempSync(join(tmpdir(), "tributary-test-"));
  process.env.TRIBUTARY_CACHE ??= join(process.env.TRIBUTARY_HOME ?? join(homedir(), ".tributary"), "cache");
  const stop = async () => {
    await stopStack(home);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const found = await startStack({
      home,
      environment: { ...process.env },
      report: (progress) => {
        if (progress.kind === "downloading") process.stdout.write(`downloading ${progress.what}\n`);
      },
    });
    Object.assign(process.env, settingsOf(found));
    if (found.mode === "local") process.env.TRIBUTARY_TEST_KAFKA_DATA = join(home, "data", "kafka");
  } catch (error) {
    // What did start must not outlive the tests.
    await stop();
    throw error;
  }
  return stop;
}
