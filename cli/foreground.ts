import { startConnector } from "../engine/service/connector-process.js";
import { startConsumer } from "../engine/service/consumer-process.js";
import { loadConnector, loadConsumer } from "../engine/service/discover.js";
import { prepareConnectorRole, prepareConsumerRole } from "../engine/service/prepare.js";
import { runProcess } from "../engine/service/process.js";
import { runningInstallation } from "./installation.js";

/** Runs one process in this terminal until SIGTERM or Ctrl-C. It runs as its own database role. */
export async function runInForeground(kind: "connector" | "consumer", name: string): Promise<void> {
  const consumer = kind === "consumer" ? await loadConsumer(name) : undefined;
  if (!consumer) await loadConnector(name);
  const installation = await runningInstallation();
  if (!consumer) {
    process.env.DATABASE_URL = await prepareConnectorRole(installation, name);
    await runProcess({ kind, name }, (given) => startConnector(name, given));
    return;
  }
  process.env.DATABASE_URL = await prepareConsumerRole(installation, consumer);
  await runProcess({ kind, name }, (given) => startConsumer(name, given));
}
