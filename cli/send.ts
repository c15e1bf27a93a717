import { type Command, InvalidArgumentError } from "commander";
import type { Address, SendLine } from "../engine/intake/connector.js";
import { loadConnector } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { registered } from "../engine/service/registration.js";
import { readSettingsLike } from "../engine/service/settings.js";
import { openInstallation } from "./installation.js";
import { readGiven } from "./misuse.js";
import { print, printJson } from "./output.js";
import { addProofOptions, type ProofOptions, profilesWith, proofOf } from "./partner-proof.js";

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("a number above zero is needed.");
  return value;
}

/** @throws InvalidArgumentError */
function urlOf(text: string): string {
  if (!URL.canParse(text)) throw new InvalidArgumentError("an address, as mllp://host:port or http://host:port.");
  return text;
}

/** One answer, for people. */
export function lineOf(line: SendLine): string {
  // Nobody has rejected what nobody has answered.
  const refused = line.answer === null ? "NOT ACCEPTED" : "REJECTED";
  const why = `${line.code ? ` ${line.code}` : ""}${line.location ? ` at ${line.location}` : ""}`;
  const verdict = line.accepted ? `accepted${line.duplicate ? " (duplicate)" : ""}` : refused + why;
  return `${line.file}#${line.index ?? "-"}  ${line.controlId ?? "-"}  ${line.answer ?? "no answer"}  ${verdict}  ${line.ms} ms`;
}

export function registerSend(command: Command): void {
  addProofOptions(command)
    .argument("<file...>", "files to send, in this order")
    .requiredOption("--to <connector>", "connector (see `producers list`)")
    .option("--partner <partner>", "partner that sends", "generic")
    .option("--rate <n>", "units a second at most", positive)
    .option("--url <url>", "address of the connector; default: that of the running one", urlOf)
    .option("--json", "one JSON object a unit")
    .addHelpText(
      "after",
      "\nExit code 0: every unit accepted; 2: some were rejected; 1: the connector could not be reached, or one side does not take the other's certificate.",
    )
    .action(
      async (
        files: string[],
        options: ProofOptions & { to: string; partner: string; rate?: number; url?: string; json?: boolean },
        self: Command,
      ) => {
        const connector = await loadConnector(options.to);
        const contents = files.map((file) => ({ file, bytes: readGiven(file) }));
        const { settings } = await openInstallation();
        const profiles = profilesWith(connector, options.partner);
        const profile = profiles.get(options.partner);
        const { settingsOf } = connector;
        const own = settingsOf === undefined ? settings : readSettingsLike(options.to, settingsOf);
        const proof = proofOf(profile, options, own);
        const addresses = options.url
          ? [{ protocol: new URL(options.url).protocol.replace(":", ""), url: options.url }]
          : runningAddresses(settings.TRIBUTARY_HOME, options.to);
        let rejected = 0;
        const isNamed = self.getOptionValueSource("partner") !== "default";
        for (const { file, bytes } of contents) {
          const others = isNamed ? (connector.takenAs?.(bytes, options.partner, profiles) ?? []) : [];
          for (const other of others.filter((name) => name !== options.partner))
            process.stderr.write(
              `${file}: by what it says itself it is taken as ${other}'s, not ${options.partner}'s\n`,
            );
          const request = {
            addresses,
            partner: options.partner,
            file,
            bytes,
            proof,
            ...(options.rate ? { rate: options.rate } : {}),
          };
          for await (const line of connector.send(request)) {
            if (!line.accepted) rejected += 1;
            if (options.json) printJson(line);
            else print(lineOf(line));
          }
        }
        process.exitCode = rejected > 0 ? 2 : 0;
      },
    );
}

function runningAddresses(home: string, connector: string): readonly Address[] {
  const found = registered(home).find(({ kind, name }) => kind === "connector" && name === connector);
  if (!found) throw new TributaryError("TRIB_CLI_NOT_RUNNING", `The connector ${connector} isn't running.`);
  return found.addresses;
}
