import { allProjections } from "../../engine/service/discover.js";
import { createLogger } from "../../engine/service/logger.js";
import { prepareInstallation, processSpecs } from "../../engine/service/prepare.js";
import { register } from "../../engine/service/registration.js";
import { readSettings, requireSetting } from "../../engine/service/settings.js";
import { startSupervisor } from "../../engine/service/supervisor.js";
import { watchVersions } from "../../engine/service/version-swaps.js";
import { openPool } from "../../engine/store/pool.js";
import { findStack, startStack, stopStack } from "../../stack/stack.js";
import { openInstallation } from "../installation.js";
import { print } from "../output.js";
import { describeProgress } from "../progress.js";
import { untilReady } from "./play.js";

/** All that runs, while a demo is shown. */
export interface Everything {
  readonly home: string;
  /** Resolves on Ctrl-C and SIGTERM. */
  readonly interrupted: Promise<void>;
}

/** Starts or finds the stack, starts every process, shows something, and ends what it started; then the process. */
export async function withEverything(show: (everything: Everything) => Promise<void>): Promise<never> {
  const began = performance.now();
  const elapsed = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const { TRIBUTARY_HOME: home } = readSettings();
  const found = await findStack(home);
  await startStack({ home, environment: process.env, report: (progress) => print(describeProgress(progress)) });
  const installation = await openInstallation();
  await prepareInstallation(installation, (step) => print(`prepared  ${step}`));
  print(`stack     ready after ${elapsed()}`);
  const { LOG_LEVEL } = installation.settings;
  const logger = createLogger("demo", LOG_LEVEL === "info" ? "error" : LOG_LEVEL);
  // `tributary down` ends whoever starts processes again before it ends them; a second demo leaves this one's alone.
  const unregister = register(home, { name: `demo-${process.pid}`, kind: "supervisor", addresses: [], admin: null });
  const supervisor = startSupervisor({ home, logger });
  const pool = openPool(requireSetting(installation.settings, "DATABASE_URL"), {
    applicationName: "tributary demo",
    max: 1,
  });
  // A stack that an older version left has read models of that version.
  const versions = watchVersions({ pool, projections: await allProjections(), logger });
  const interrupted = new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  try {
    const specs = await processSpecs(installation);
    for (const spec of specs) supervisor.add(spec);
    const names = specs.map(({ name }) => name);
    await untilReady(home, names);
    print(`running   ${names.join(", ")} (${elapsed()})`);
    await show({ home, interrupted });
  } finally {
    await versions.stop();
    await supervisor.stop();
    await pool.end();
    if (!found) await stopStack(home);
    unregister();
  }
  process.exit();
}
