import { leaveToLanes, unfilledVersion } from "../engine/replay/new-version.js";
import { startConnector } from "../engine/service/connector-process.js";
import type { ConsumerDefinition } from "../engine/service/consumer.js";
import { startConsumer } from "../engine/service/consumer-process.js";
import { loadConnector, loadConsumer } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { prepareConnectorRole, prepareConsumerRole } from "../engine/service/prepare.js";
import { runProcess } from "../engine/service/process.js";
import { requireSetting } from "../engine/service/settings.js";
import { openPool } from "../engine/store/pool.js";
import { runningInstallation } from "./installation.js";
import { endWithNpm } from "./parent.js";

/** New versions that `tributary run` began to fill, and nobody fills now, are made by the lanes of this process. */
async function leaveUnfilled(databaseUrl: string, { project }: ConsumerDefinition): Promise<void> {
  const owner = openPool(databaseUrl, { applicationName: "tributary prepare", max: 2 });
  try {
    for (const projection of project) {
      const build = await unfilledVersion(owner, projection);
      if (build) await leaveToLanes(owner, projection, build).catch(whileFilled);
    }
  } finally {
    await owner.end();
  }
}

function whileFilled(error: unknown): void {
  if (!(error instanceof TributaryError) || error.code !== "TRIB_REPLAY_BUSY") throw error;
}

/** Runs one process in this terminal until SIGTERM or Ctrl-C. It runs as its own database role. */
export async function runInForeground(kind: "connector" | "consumer", name: string): Promise<void> {
  endWithNpm();
  const consumer = kind === "consumer" ? await loadConsumer(name) : undefined;
  if (!consumer) await loadConnector(name);
  const installation = await runningInstallation();
  if (!consumer) {
    process.env.DATABASE_URL = await prepareConnectorRole(installation, name);
    await runProcess({ kind, name }, (given) => startConnector(name, given));
    return;
  }
  const url = await prepareConsumerRole(installation, consumer);
  await leaveUnfilled(requireSetting(installation.settings, "DATABASE_URL"), consumer);
  process.env.DATABASE_URL = url;
  await runProcess({ kind, name }, (given) => startConsumer(name, given));
}
