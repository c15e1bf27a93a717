import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectorDefinition } from "../intake/connector.js";
import type { GuardedProfile } from "../reception/authentication.js";
import { type Credentials, credentialsIn } from "../reception/credentials.js";
import { doorOf } from "../reception/doorkeeper.js";
import { TributaryError } from "./errors.js";
import { jsonMistake, profileMistakes } from "./profile-mistakes.js";
import { repositoryRoot } from "./root.js";
import type { Settings } from "./settings.js";

/** A partner that is not let in, because its profile can't be used. */
export interface SuspendedPartner {
  readonly partner: string;
  /** Names the file, or both files, and what is wrong. */
  readonly error: TributaryError;
  /** What the file holds; undefined where it is no JSON. */
  readonly content: unknown;
}

/** The partner profiles of a connector: those that can be used, and those that can't. */
export interface PartnerProfiles<Profile> {
  readonly profiles: Map<string, Profile>;
  readonly suspended: readonly SuspendedPartner[];
}

export interface ProfilesOptions {
  /** Leaves `generic` out, and lets nobody in without a proof. */
  readonly production: boolean;
  /** Folder that holds `producers/`; default: the checkout. */
  readonly root?: string | undefined;
  /** Where the credentials that profiles name are read, too. Default: they are not looked at. */
  readonly credentials?: Credentials;
}

/** Names that a partner can have: of its file, its address and its folder. */
export const isPartnerName = (name: string): boolean => /^[a-z][a-z0-9-]{0,39}$/.test(name);

/** Folder of the credentials that profiles name. */
export const credentialsFolder = (settings: Settings): string =>
  settings.CONNECTOR_CREDENTIALS ?? join(settings.TRIBUTARY_HOME, "credentials");

/** What an installation's settings say of how profiles are read: with the credentials that they name. */
export const profilesOptions = (settings: Settings): ProfilesOptions => ({
  production: settings.TRIBUTARY_ENV === "production",
  credentials: credentialsIn(credentialsFolder(settings)),
});

const placeOf = (connector: string, partner: string) => `producers/${connector}/partners/${partner}.json`;

/**
 * Reads the partner profiles of a connector: `producers/<connector>/partners/*.json`. A profile that can't be used takes no
 * other partner out: one that is not of the connector's schema, one whose credentials can't be read, and those of which two
 * claim the same sender, for nobody can tell which of them is meant.
 */
export function readProfiles<Profile>(
  connector: ConnectorDefinition<Profile>,
  options: ProfilesOptions,
): PartnerProfiles<Profile> {
  const folder = join(options.root ?? repositoryRoot, "producers", connector.name, "partners");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".json")) : [];
  const partners = files.map((file) => file.slice(0, -".json".length)).sort();
  const profiles = new Map<string, Profile>();
  const suspended = new Map<string, SuspendedPartner>();
  const contents = new Map<string, unknown>();
  const suspend = (partner: string, error: TributaryError) =>
    suspended.set(partner, { partner, error, content: contents.get(partner) });
  for (const partner of partners) {
    if (options.production && partner === "generic") continue;
    try {
      const content = contentOf(connector, partner, folder);
      contents.set(partner, content);
      profiles.set(partner, profileOf(connector, partner, content));
    } catch (error) {
      suspend(partner, coded(error));
    }
  }
  for (const [partner, profile] of profiles) {
    try {
      const overlap = overlapWith(connector, partner, profile, profiles);
      if (overlap) throw overlap;
      checkCredentials(connector, partner, profile, options);
    } catch (error) {
      suspend(partner, coded(error));
    }
  }
  for (const partner of suspended.keys()) profiles.delete(partner);
  return { profiles, suspended: [...suspended.values()] };
}

/** @throws what is no mistake in a profile. */
function coded(error: unknown): TributaryError {
  if (error instanceof TributaryError) return error;
  throw error;
}

/** @throws TRIB_SERVICE_PROFILE_INVALID */
function contentOf(connector: Pick<ConnectorDefinition<unknown>, "name">, partner: string, folder: string): unknown {
  const text = readFileSync(join(folder, `${partner}.json`), "utf8");
  try {
    return JSON.parse(text);
  } catch {
    const message = `${placeOf(connector.name, partner)} is not JSON: ${jsonMistake(text)}.`;
    throw new TributaryError("TRIB_SERVICE_PROFILE_INVALID", message);
  }
}

/** @throws TRIB_SERVICE_PROFILE_INVALID naming file and field. */
function profileOf<Profile>(connector: ConnectorDefinition<Profile>, partner: string, content: unknown): Profile {
  const place = placeOf(connector.name, partner);
  if (!isPartnerName(partner))
    throw new TributaryError(
      "TRIB_SERVICE_PROFILE_INVALID",
      `${place}: a partner's name has lower-case letters, digits and hyphens, at most 40, and begins with a letter.`,
    );
  const parsed = connector.profile.safeParse(content);
  const mistake = parsed.success ? connector.mistakeIn?.(parsed.data) : undefined;
  if (mistake !== undefined) throw new TributaryError("TRIB_SERVICE_PROFILE_INVALID", `${place}: ${mistake}.`);
  if (parsed.success) return parsed.data;
  const mistakes = profileMistakes(connector.profile, parsed.error, content);
  throw new TributaryError("TRIB_SERVICE_PROFILE_INVALID", `${place}: ${mistakes.join("; ")}.`);
}

/**
 * Whether a partner's profile claims a sender that another's claims, too.
 * @returns the error that says so, naming both files; undefined where all can stand beside each other.
 */
export function overlapWith<Profile>(
  { name, overlap }: ConnectorDefinition<Profile>,
  partner: string,
  profile: Profile,
  others: ReadonlyMap<string, Profile>,
): TributaryError | undefined {
  if (overlap === undefined) return undefined;
  for (const [other, otherProfile] of others) {
    const both = other === partner ? undefined : overlap(profile, otherProfile);
    if (both === undefined) continue;
    const [first = "", second = ""] = [partner, other].sort().map((one) => placeOf(name, one));
    const message = `${first} and ${second} both have ${both}: whose a message is can't be told.`;
    return new TributaryError("TRIB_SERVICE_PROFILES_OVERLAP", message);
  }
  return undefined;
}

/** @throws TRIB_RECEPTION_CREDENTIAL_MISSING naming the profile and the file. */
function checkCredentials<Profile>(
  connector: ConnectorDefinition<Profile>,
  partner: string,
  profile: Profile,
  { credentials, production }: ProfilesOptions,
): void {
  if (credentials === undefined) return;
  const { authentication = [] } = profile as Partial<GuardedProfile>;
  try {
    doorOf(partner, { authentication }, credentials, production);
  } catch (error) {
    const { code, message } = coded(error);
    throw new TributaryError(code, `${placeOf(connector.name, partner)}: ${message}`);
  }
}

/**
 * The partner profiles of a connector, where one that can't be used is nothing to go on with.
 * @param production leaves `generic` out.
 * @param root folder that holds `producers/`; default: the checkout.
 * @throws TRIB_SERVICE_PROFILE_INVALID, TRIB_SERVICE_PROFILES_OVERLAP naming file and field.
 */
export const loadProfiles = <Profile>(
  connector: ConnectorDefinition<Profile>,
  production: boolean,
  root?: string,
): Map<string, Profile> => usableProfiles(readProfiles(connector, { production, root }));

/** @throws the reason why a profile can't be used; of several the first, with the messages of all. */
export function usableProfiles<Profile>({ profiles, suspended }: PartnerProfiles<Profile>): Map<string, Profile> {
  const [first] = suspended;
  if (first === undefined) return profiles;
  const messages = new Set(suspended.map(({ error }) => error.message));
  throw new TributaryError(first.error.code, [...messages].join("\n"));
}
