import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { connectCodec } from "../engine/log/registry.js";
import { awaitProjections } from "../engine/projector/await.js";
import { allProjections } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { kekSettings, requireSetting } from "../engine/service/settings.js";
import { type Erased, erasePatient } from "../engine/vault/erase.js";
import { recordsOfPerson } from "../engine/vault/person.js";
import { keysByKek, rotateKeys } from "../engine/vault/rotate.js";
import { actorOf, surrogateOf } from "./audit-options.js";
import { confirm } from "./confirm.js";
import { secondsOf } from "./instant.js";
import { withLog } from "./log.js";
import { print, printJson, printTable } from "./output.js";
import { nameGiven, textGiven } from "./texts.js";

interface EraseCommand {
  readonly reason: string;
  readonly person?: boolean;
  readonly by?: string;
  readonly timeout: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What is sealed under other patients' keys is nobody's to destroy unasked. */
function printLeft({ patient, left: { units, sealedFor } }: Erased): void {
  if (units === 0) return;
  print(
    `${units} units that tell of ${patient} are sealed under keys of others, and can be opened by who may: erase these, too, or let them be.`,
  );
  for (const id of sealedFor) print(`  ${id}`);
}

export function registerVault(command: Command): void {
  command
    .command("erase")
    .argument("<patient>", "surrogate id of the patient, as the read models show it", surrogateOf)
    .description("destroy a patient's data key for good: what was sealed under it can't be read any more by anyone")
    .requiredOption("--reason <text>", "why, for the audit; no name in it", textGiven)
    .option("--person", "every record of the same person, as `persons` has them")
    .option("--by <name>", "who decides, for the audit; default the name you are logged in with", nameGiven)
    .option("--timeout <seconds>", "give up waiting for the read models after this time", secondsOf, 120)
    .option("--yes", "don't ask")
    .option(
      "--json",
      "one JSON array; `asOfs`: as-ofs that were dropped; `left`: units that tell of the patient under keys of others",
    )
    .addHelpText(
      "after",
      "\nTakes some seconds, until no process has the key in memory. Interrupted, it is carried on by the same command.",
    )
    .action((patient: string, options: EraseCommand) =>
      withLog(async ({ log, pool, settings }) => {
        const projections = await allProjections();
        const timeline = projections.find(({ name }) => name === "timeline");
        if (!timeline) throw new TributaryError("TRIB_CLI_NOT_FOUND", "There is no read model timeline.");
        const timeout = options.timeout * 1000;
        const person = await recordsOfPerson({ log, pool, projections, timeout }, patient);
        const patients = options.person ? person : [patient];
        const others = person.length - patients.length;
        const what = patients.length === 1 ? `patient ${patient}` : `${patients.length} records of a person`;
        await confirm(
          `What identifies ${what} is destroyed, and can't be brought back.${
            others > 0 ? ` ${others} more records of the same person stay (--person erases them, too).` : ""
          }`,
          options.yes,
        );
        const codec = await connectCodec(settings);
        const secret = requireSetting(settings, "TRIBUTARY_SECRET");
        const erased: Erased[] = [];
        for (const one of patients) {
          const request = { patient: one, reason: options.reason, actor: actorOf(options.by) };
          erased.push(await erasePatient({ log, pool, codec, secret, timeline, timeout }, request));
        }
        const { parkedKeys } = await awaitProjections({ log, pool, projections, timeout });
        if (options.json) printJson(erased.map((one) => ({ ...one, parkedKeys })));
        else {
          printTable(
            erased.map(({ patient: id, outcome, visits, claims, anothers, keys }) => ({
              patient: id,
              outcome,
              visits,
              claims,
              anothers,
              keys,
            })),
          );
          if (parkedKeys > 0) print(`${parkedKeys} keys are parked in the read models (tributary parked list)`);
          for (const { asOfs } of erased)
            for (const schema of asOfs)
              print(`as-of ${schema} is dropped, as it opened restricted columns; it can be built again`);
          for (const one of erased) printLeft(one);
          if (others > 0) print(`${others} more records of the same person stay (--person erases them, too).`);
        }
      }),
    );
  command
    .command("rotate")
    .description("rewrap every data key under TRIBUTARY_KEK, those under TRIBUTARY_KEK_PREVIOUS first opened with that")
    .option("--reason <text>", "why, for the audit", textGiven)
    .option("--by <name>", "who does it, for the audit; default the name you are logged in with", nameGiven)
    .option("--yes", "don't ask")
    .option("--json", "one JSON object")
    .addHelpText("after", "\nNothing that is sealed changes. Interrupted, it goes on where it stopped.")
    .action((options: { reason?: string; by?: string; yes?: boolean; json?: boolean }) =>
      withLog(async ({ log, pool, settings }) => {
        const kek = kekSettings(settings);
        await confirm("Every data key is wrapped under TRIBUTARY_KEK.", options.yes);
        await recordAccess(log, await connectCodec(settings), {
          action: "REPLAY",
          command: "vault rotate",
          subject: { kind: "vault", id: "vault" },
          patients: [],
          reason: options.reason,
          actor: actorOf(options.by),
        });
        const rewrapped = await rotateKeys({ pool, kek });
        const keys = await keysByKek(pool);
        if (options.json) printJson({ rewrapped, keys });
        else {
          print(`${rewrapped} keys rewrapped`);
          printTable(keys.map((row) => ({ ...row })));
        }
      }),
    );
}
