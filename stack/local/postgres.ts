import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TributaryError } from "../../engine/service/errors.js";
import { type CommandResult, run, tail } from "../commands.js";
import { database, postgresSettings } from "../configuration.js";
import { tellsOfFullDisk } from "../disk.js";
import { ask } from "../ports.js";
import { commandLineOf } from "../processes.js";
import type { StackState } from "../state.js";
import { draftOf } from "./draft.js";
import { pathsOf } from "./paths.js";
import type { LocalService } from "./service.js";
import { type RunAs, runAs } from "./user.js";

/**
 * A start-up message of protocol 3.0. A server that is ready answers it with a request to authenticate (`R`), one that
 * is still starting or recovering with an error (`E`).
 */
function startUpMessage(): Buffer {
  const body = Buffer.from(`\0\x03\0\0user\0${database.user}\0database\0${database.name}\0\0`, "latin1");
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

/** Postgres with the binaries of the npm package, reached over the loopback address with a password only. */
export async function postgresService(
  home: string,
  software: string,
  state: StackState,
  passwordFile: string,
  environment: NodeJS.ProcessEnv,
): Promise<LocalService> {
  const paths = pathsOf(home);
  const data = paths.data("postgres");
  const port = state.ports.postgres;
  const program = (name: string) => join(software, "bin", name);
  const user = await runAs(program("postgres"), dirname(data));
  const surroundings = { ...environment, LC_ALL: "C", TZ: "UTC" };
  const settings = {
    ...postgresSettings,
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
  };
  const words = [
    ...user.prefix,
    program("postgres"),
    "-D",
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  return {
    name: "postgres",
    ports: [port],
    command: words[0]!,
    parameters: words.slice(1),
    folder: dirname(data),
    environment: surroundings,
    prepare: async () => {
      if (!existsSync(data)) await makeCluster(data, program, user, readFileSync(passwordFile), surroundings);
      await forgetDeadServer(data);
    },
    probe: async () => (await ask(port, startUpMessage()))?.[0] === "R".charCodeAt(0),
    // Fast shutdown: sessions are ended, data is flushed. SIGTERM would wait for the last client to leave.
    stopSignal: "SIGINT",
  };
}

/** Makes the database cluster beside its place and moves it there when whole. */
async function makeCluster(
  data: string,
  program: (name: string) => string,
  user: RunAs,
  password: Buffer,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const draft = draftOf(data);
  const passwordCopy = `${draft}.password`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  user.own(draft);
  writeFileSync(passwordCopy, password, { mode: 0o600 });
  user.own(passwordCopy);
  const call = async (name: string, parameters: readonly string[], input?: string): Promise<void> => {
    const words = [...user.prefix, program(name), ...parameters];
    const options = { environment, folder: dirname(draft), ...(input === undefined ? {} : { input }) };
    const answer: CommandResult = await run(words[0]!, words.slice(1), options);
    if (answer.exitCode === 0) return;
    throw new TributaryError(
      tellsOfFullDisk(answer.output) ? "TRIB_STACK_DISK_FULL" : "TRIB_STACK_START_FAILED",
      `\`${name}\` could not make the database below ${dirname(data)}:\n${tail(answer.output)}`,
    );
  };
  try {
    await call("initdb", [
      `--pgdata=${draft}`,
      `--username=${database.user}`,
      `--pwfile=${passwordCopy}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ]);
    await call("postgres", ["--single", "-D", draft, "postgres"], `CREATE DATABASE ${database.name};\n`);
  } finally {
    rmSync(passwordCopy, { force: true });
  }
  renameSync(draft, data);
}

/**
 * After a power cut the process id in Postgres' own lock file may belong to another program by now, and Postgres would
 * refuse to start; a lock file of a process that is no Postgres is removed.
 */
async function forgetDeadServer(data: string): Promise<void> {
  const lock = join(data, "postmaster.pid");
  if (!existsSync(lock)) return;
  const line = await commandLineOf(Number.parseInt(readFileSync(lock, "utf8"), 10));
  if (line === undefined || !line.includes("postgres")) rmSync(lock, { force: true });
}
