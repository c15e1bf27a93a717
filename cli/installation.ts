import { readSettings, type Settings } from "../engine/service/settings.js";
import { settingsOf } from "../stack/services.js";
import { findStack } from "../stack/stack.js";

/** The services named by settings, else those of the stack found under TRIBUTARY_HOME. */
export interface Installation {
  readonly settings: Settings;
  /** Environment that a process of this installation needs to read the same settings. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Settings of the installation that a command works on.
 * @throws TRIB_CONFIG_INVALID naming every mistake.
 */
export async function openInstallation(): Promise<Installation> {
  const { TRIBUTARY_HOME: home } = readSettings();
  const found = await findStack(home);
  const environment: Record<string, string> = {};
  const given = { ...(found ? settingsOf(found) : {}), ...process.env, TRIBUTARY_HOME: home };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) environment[name] = value;
  // Commands' own libraries read the same settings.
  Object.assign(process.env, environment);
  return { settings: readSettings(environment), environment };
}
