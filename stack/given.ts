import { TributaryError } from "../engine/service/errors.js";
import { readSettings } from "../engine/service/settings.js";
import { ensureSecrets } from "./secrets.js";
import type { StackServices } from "./services.js";

/**
 * The services that settings name; undefined when they name none.
 * Secrets that are not given are made below the home, outside production.
 * @throws TRIB_STACK_SETTINGS_PARTIAL when some of the three are named and some are not; TRIB_CONFIG_INVALID
 */
export function givenServices(home: string, environment: NodeJS.ProcessEnv): StackServices | undefined {
  const settings = readSettings(environment);
  const needed = ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "DATABASE_URL"] as const;
  const missing = needed.filter((name) => settings[name] === undefined);
  if (missing.length === needed.length) return undefined;
  if (missing.length > 0) {
    const present = needed.filter((name) => settings[name] !== undefined);
    throw new TributaryError(
      "TRIB_STACK_SETTINGS_PARTIAL",
      `Set: ${present.join(", ")}. Not set: ${missing.join(", ")}.`,
    );
  }
  if (settings.TRIBUTARY_ENV === "production") {
    const absent = (["TRIBUTARY_SECRET", "TRIBUTARY_KEK", "TRIBUTARY_NOTARY_KEY"] as const).filter(
      (name) => settings[name] === undefined,
    );
    if (absent.length > 0) {
      throw new TributaryError(
        "TRIB_CONFIG_INVALID",
        `Settings to correct: ${absent.join(", ")}: required in production.`,
      );
    }
  }
  const own = (name: string, made: () => string) => environment[name] || made();
  return {
    mode: "settings",
    kafkaBrokers: settings.KAFKA_BROKERS!.join(","),
    registryUrl: settings.SCHEMA_REGISTRY_URL!,
    databaseUrl: settings.DATABASE_URL!,
    databaseUrlFile: environment.DATABASE_URL_FILE ?? null,
    secretFile: own("TRIBUTARY_SECRET_FILE", () => ensureSecrets(home).secretFile),
    kekFile: own("TRIBUTARY_KEK_FILE", () => ensureSecrets(home).kekFile),
    notaryKeyFile: own("TRIBUTARY_NOTARY_KEY_FILE", () => ensureSecrets(home).notaryKeyFile),
  };
}
