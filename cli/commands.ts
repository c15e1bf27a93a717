import type { Command } from "commander";
import { registerBench } from "./bench.js";
import { registerConfig } from "./config.js";
import { registerConsumers } from "./consumers.js";
import { registerDemo } from "./demo.js";
import { registerDoctor } from "./doctor.js";
import { registerDown } from "./down.js";
import { registerEvents } from "./events.js";
import { registerIntake } from "./intake.js";
import { registerMigrate } from "./migrate.js";
import { registerParked } from "./parked.js";
import { registerProducers } from "./producers.js";
import { registerProjections } from "./projections.js";
import { registerRun } from "./run.js";
import { registerSchemasCommand } from "./schemas.js";
import { registerSend } from "./send.js";
import { registerStatus } from "./status.js";
import { registerTopics } from "./topics.js";
import { registerUp } from "./up.js";

/** Every command, in the order of the help text. */
export const commands: readonly ((program: Command) => void)[] = [
  registerDemo,
  registerUp,
  registerDown,
  registerStatus,
  registerRun,
  registerDoctor,
  registerConfig,
  registerMigrate,
  registerTopics,
  registerSchemasCommand,
  registerProducers,
  registerConsumers,
  registerSend,
  registerEvents,
  registerIntake,
  registerProjections,
  registerParked,
  registerBench,
];
