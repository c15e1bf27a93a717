import { TributaryError } from "../engine/service/errors.js";
import { readSettings, type Settings } from "../engine/service/settings.js";
import { settingsOf } from "../stack/services.js";
import { findStack, missingServices } from "../stack/stack.js";
import { type DatabaseAddress, databaseAddress } from "./database-address.js";

/** The services named by settings, else those of the stack found under TRIBUTARY_HOME. */
export interface Installation {
  readonly settings: Settings;
  /** Environment that a process of this installation needs to read the same settings. */
  readonly environment: Readonly<Record<string, string>>;
  /** How people are told of the database. */
  readonly database: DatabaseAddress;
}

/** As they are told first: later in the same process its environment has what only it knows. */
const addresses = new Map<string, DatabaseAddress>();

/**
 * Settings of the installation that a command works on.
 * @throws TRIB_CONFIG_INVALID naming every mistake.
 */
export async function openInstallation(): Promise<Installation> {
  const { TRIBUTARY_HOME: home } = readSettings();
  const found = await findStack(home);
  const callers = new Set(Object.keys(process.env));
  const environment: Record<string, string> = {};
  const given = { ...(found ? settingsOf(found) : {}), ...process.env, TRIBUTARY_HOME: home };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) environment[name] = value;
  // Commands' own libraries read the same settings.
  Object.assign(process.env, environment);
  const settings = readSettings(environment);
  const url = settings.DATABASE_URL ?? "";
  const database = addresses.get(url) ?? databaseAddress(url, found?.databaseUrlFile ?? null, callers);
  addresses.set(url, database);
  return { settings, environment, database };
}

/**
 * The same, of a command that asks its services.
 * @throws TRIB_CONFIG_INVALID naming every mistake; TRIB_STACK_DOWN naming the services of the stack under TRIBUTARY_HOME
 *   that do not run.
 */
export async function runningInstallation(): Promise<Installation> {
  const installation = await openInstallation();
  const { DATABASE_URL, TRIBUTARY_HOME: home } = installation.settings;
  const missing = DATABASE_URL === undefined ? await missingServices(home) : [];
  if (missing.length === 0) return installation;
  throw new TributaryError("TRIB_STACK_DOWN", `The stack below ${home} is down: ${missing.join(", ")} not running.`);
}
