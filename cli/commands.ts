import type { Command } from "commander";
import { addExamples } from "./examples.js";

/** A command of the first level. Its own module, with all that it stands on, is loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  readonly about: string;
  /** Gives what adds arguments, options, inner commands and the action. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** Every command, in the order of the help text. */
export const commands: readonly CommandEntry[] = [
  {
    name: "demo",
    about:
      "a day in a small region: starts everything, plays it over the real protocols, compares the rows with what is true",
    load: async () => (await import("./demo.js")).registerDemo,
  },
  {
    name: "up",
    about: "start or find Kafka, the schema registry and Postgres; apply migrations, topics, schemas and builds",
    load: async () => (await import("./up.js")).registerUp,
  },
  {
    name: "down",
    about: "stop the engine's processes, then the stack; all state is kept",
    load: async () => (await import("./down.js")).registerDown,
  },
  {
    name: "status",
    about: "services, processes and read models: where they are, and how far behind",
    load: async () => (await import("./status.js")).registerStatus,
  },
  {
    name: "run",
    about: "start processes, one operating-system process each, and start again what dies, until Ctrl-C",
    load: async () => (await import("./run.js")).registerRun,
  },
  {
    name: "doctor",
    about:
      "check everything an installation needs, and say what to do about what is wrong; exit code 2 when something is",
    load: async () => (await import("./doctor.js")).registerDoctor,
  },
  {
    name: "config",
    about: "settings of this installation",
    load: async () => (await import("./config.js")).registerConfig,
  },
  { name: "migrate", about: "the database's schema", load: async () => (await import("./migrate.js")).registerMigrate },
  {
    name: "topics",
    about: "the Kafka topics, made and checked here and never by auto-create",
    load: async () => (await import("./topics.js")).registerTopics,
  },
  {
    name: "schemas",
    about: "the events' Avro schemas",
    load: async () => (await import("./schemas.js")).registerSchemasCommand,
  },
  {
    name: "producers",
    about: "connectors: what receives partners' messages",
    load: async () => (await import("./producers.js")).registerProducers,
  },
  {
    name: "consumers",
    about: "consumers: what folds events into read models",
    load: async () => (await import("./consumers.js")).registerConsumers,
  },
  {
    name: "send",
    about: "send files over a connector's real protocol, as a partner would; one line an answer",
    load: async () => (await import("./send.js")).registerSend,
  },
  {
    name: "validate",
    about: "what a connector would answer to files, and the events it would make; nothing is stored",
    load: async () => (await import("./validate.js")).registerValidate,
  },
  {
    name: "events",
    about: "the events in the log; what is sealed stays sealed",
    load: async () => (await import("./events.js")).registerEvents,
  },
  {
    name: "intake",
    about: "what partners sent, and the verdicts on it",
    load: async () => (await import("./intake.js")).registerIntake,
  },
  {
    name: "projections",
    about: "read models and their builds",
    load: async () => (await import("./projections.js")).registerProjections,
  },
  {
    name: "parked",
    about: "keys held back because an event could not be applied",
    load: async () => (await import("./parked.js")).registerParked,
  },
  {
    name: "audit",
    about: "proof and evidence: what happened to whom, and that nothing was changed since",
    load: async () => (await import("./audit.js")).registerAudit,
  },
  {
    name: "vault",
    about: "data keys: erase a patient for good, rewrap keys under a new key-encryption key",
    load: async () => (await import("./vault.js")).registerVault,
  },
  { name: "bench", about: "published measurements", load: async () => (await import("./bench.js")).registerBench },
];

/** Adds the commands to the program: those named in full, the others with their name and what they are about. */
export async function addCommands(program: Command, inFull: (name: string) => boolean = () => true): Promise<void> {
  for (const { name, about, load } of commands) {
    const command = program.command(name).description(about);
    if (!inFull(name)) continue;
    (await load())(command);
    addExamples(command, name);
  }
}
