import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { loadConnector } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import {
  credentialsFolder,
  isPartnerName,
  overlapWith,
  type PartnerProfiles,
  profilesOptions,
  readProfiles,
  usableProfiles,
} from "../engine/service/profiles.js";
import { repositoryRoot } from "../engine/service/root.js";
import { openInstallation } from "./installation.js";
import { print, printJson, printTable } from "./output.js";
import {
  type AuthMethod,
  addAuthentication,
  authMethods,
  checkProfile,
  type NewPartner,
  profileFields,
  setField,
  topFields,
} from "./partner-profile.js";
import { restarted } from "./restart.js";
import { formatFiles } from "./scaffold/format.js";

type AddOptions = Omit<NewPartner, "connector" | "partner"> & {
  readonly description?: string;
  readonly set: readonly string[];
};

function oneMore<Value extends string>(allowed?: readonly Value[]) {
  return (value: string, before: Value[]): Value[] => {
    if (allowed && !allowed.includes(value as Value)) throw new InvalidArgumentError(`one of ${allowed.join(", ")}.`);
    return [...before, value as Value];
  };
}

/** `producers add-partner`, `fields` and `restart`. */
export function registerPartners(command: Command): void {
  command
    .command("add-partner")
    .argument("<connector>", "connector (see `list`)")
    .argument("<partner>", "lower-case letters, digits and hyphens")
    .description("write the profile of a new partner, one file, checked; its secrets go into the folder of credentials")
    .option("--description <text>", "who this is, for the reader of the profile")
    .option("--set <field=value>", "a field of the profile, as often as needed; JSON or text", oneMore(), [])
    .option(
      "--auth <method>",
      `how it proves who it is over HTTP, one of several suffices: ${authMethods.join(", ")}`,
      oneMore<AuthMethod>(authMethods),
      [],
    )
    .option("--cert <file>", "for `certificate`: its client certificate, PEM (over MLLP too)")
    .option("--jwks <file>", "for `private-key-jwt`: its public key set, a file or an https address")
    .option("--client-id <id>", "for `private-key-jwt`: its client id; default: the partner's name")
    .option("--scopes <scopes>", "for `private-key-jwt`: what it may be granted; default: system/*.write")
    .option("--user <name>", "for `basic`: its user name; default: the partner's name")
    .action(addPartner);
  command
    .command("fields")
    .argument("<connector>", "connector (see `list`)")
    .description("everything that a partner's profile can set, with defaults")
    .option("--json", "one JSON array")
    .action(async (name: string, options: { json?: boolean }) => {
      const fields = profileFields(await loadConnector(name));
      if (options.json) printJson(fields);
      else printTable(fields.map((one) => ({ ...one, default: shortened(one.default) })));
    });
  command
    .command("restart")
    .argument("<name>", "connector that runs under `tributary run`")
    .option("--force", "also where profiles can't be used: their partners are suspended, all others are let in")
    .description(
      "check the profiles of one connector, stop it when it has answered what is in hand, and wait until it is back with them",
    )
    .action(async (name: string, { force = false }: { force?: boolean }) => {
      const connector = await loadConnector(name);
      const { settings } = await openInstallation();
      const profiles = readProfiles(connector, profilesOptions(settings));
      if (!force) assertUsable(profiles);
      for (const { partner, error } of profiles.suspended) print(`suspended  ${partner}  ${error.message}`);
      const { addresses } = await restarted(settings.TRIBUTARY_HOME, "connector", name);
      for (const { url, partner } of addresses) print(`listens  ${url}${partner ? `  (${partner})` : ""}`);
    });
}

/** @throws what is wrong in the profiles, before anything is stopped. */
function assertUsable(profiles: PartnerProfiles<unknown>): void {
  try {
    usableProfiles(profiles);
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error;
    throw new TributaryError(error.code, `${error.message}\nNothing was stopped: the connector goes on as it was.`);
  }
}

const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

async function addPartner(connectorName: string, partner: string, options: AddOptions): Promise<void> {
  const connector = await loadConnector(connectorName);
  const { settings } = await openInstallation();
  const place = `producers/${connectorName}/partners/${partner}.json`;
  if (partner === "generic" || existsSync(join(repositoryRoot, place)))
    throw new TributaryError("TRIB_CLI_NAME_INVALID", `There is a partner ${partner} already: ${place}.`);
  if (!isPartnerName(partner)) {
    const why = `A partner can't be called ${partner}: lower-case letters, digits and hyphens, a letter first, 40 at most.`;
    throw new TributaryError("TRIB_CLI_NAME_INVALID", why);
  }
  const profile: Record<string, unknown> = {};
  if (options.description !== undefined) profile.description = options.description;
  for (const assignment of options.set) setField(profile, assignment);
  // Before a secret is made for what is refused.
  checkProfile(connector, profile);
  const given = { ...options, connector: connectorName, partner };
  const credentials = addAuthentication(profile, given, credentialsFolder(settings), topFields(connector));
  checkProfile(connector, profile);
  const { profiles } = readProfiles(connector, { production: false });
  const overlap = overlapWith(connector, partner, connector.profile.parse(profile), profiles);
  if (overlap) {
    for (const { file } of credentials) rmSync(file);
    throw overlap;
  }
  mkdirSync(dirname(join(repositoryRoot, place)), { recursive: true });
  writeFileSync(join(repositoryRoot, place), `${JSON.stringify(profile, null, 2)}\n`, { flag: "wx" });
  formatFiles([place]);
  print(`wrote  ${place}`);
  for (const { file, about } of credentials) print(`wrote  ${file}  (${about})`);
  print();
  print(`Change it:   npx tributary producers fields ${connectorName}   lists what it can set`);
  print(`Try it:      npx tributary validate FILE --to ${connectorName} --partner ${partner}`);
  print(`Let it in:   npx tributary producers restart ${connectorName}`);
  print(`As it would: npx tributary send FILE --to ${connectorName} --partner ${partner}`);
}
