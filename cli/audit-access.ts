import { type Command, InvalidArgumentError, Option } from "commander";
import { type AuditRecord, auditRecords, recordAccess } from "../engine/audit/access.js";
import { type AuditAction, auditActions, isWanted } from "../engine/audit/access-filter.js";
import { accessRow } from "../engine/audit/access-row.js";
import { type AccessNature, natureOf } from "../engine/audit/accounting.js";
import { auditEventOf } from "../engine/audit/audit-event.js";
import { deliveryDisclosures, oldestFirst } from "../engine/audit/delivery-disclosures.js";
import { disclosuresOf, disclosureYears } from "../engine/audit/disclosures.js";
import { nothingAbout } from "../engine/audit/held-back.js";
import { eventsOfPatient } from "../engine/audit/trail.js";
import { auditTopic } from "../engine/log/schemas.js";
import { readJournalId } from "../engine/log/topics.js";
import {
  type AccessOptions,
  actorOf,
  type Subject,
  subjectOf,
  surrogateOf,
  withAccessOptions,
} from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { countOf, instantOf } from "./instant.js";
import { misuse } from "./misuse.js";
import { print, printJson, printTable } from "./output.js";
import { withProgress } from "./progress-line.js";
import { nameGiven } from "./texts.js";
import { watchedLog } from "./watched-log.js";

function yearsOf(text: string): number {
  const years = Number(text);
  if (!(years > 0)) throw new InvalidArgumentError("years above zero.");
  return years;
}

interface Shown extends Omit<AccessOptions, "open"> {
  readonly fhir?: boolean;
}

async function printEvents(found: readonly AuditRecord[], log: Parameters<typeof readJournalId>[0]): Promise<void> {
  const installation = await readJournalId(log);
  for (const each of found) printJson(auditEventOf(each, installation));
}

interface AccessCommand extends Shown {
  readonly who?: string;
  readonly action?: AuditAction;
  readonly of?: Subject;
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
}

async function access(options: AccessCommand): Promise<void> {
  const { who, action, of, since, until, limit = Number.POSITIVE_INFINITY, reason, by, fhir, json } = options;
  if (since !== undefined && until !== undefined && since >= until) throw misuse("--until comes after --since.");
  await withAudit({}, async ({ log, codec }) => {
    const all = await withProgress(!json && !fhir, "records", async ({ tell }) => {
      const wanted: AuditRecord[] = [];
      for await (const each of auditRecords(watchedLog(log, tell), codec, { deliveries: action === "DELIVER" }))
        if (isWanted(each, { who, action, id: of?.id, since, until })) wanted.push(each);
      return wanted.sort((left, right) => left.value.meta.time - right.value.meta.time);
    });
    const found = all.slice(Math.max(0, all.length - limit));
    await recordAccess(log, codec, {
      action: "READ",
      command: "audit access",
      subject: of ?? { kind: "audit", id: auditTopic },
      ...(of ? { patients: of.kind === "patient" ? [of.id] : [] } : { patients: [], bulk: { opened: false } }),
      events: found.length,
      reason,
      actor: actorOf(by),
    });
    if (fhir) await printEvents(found, log);
    else if (json) for (const each of found) printJson(accessRow(each));
    else printTable(found.map((each) => ({ ...accessRow(each) })));
    if (found.length < all.length) process.stderr.write(`the last ${found.length} of ${all.length}\n`);
  });
}

/** What `--only` takes, and how each kind is called where both are told. */
const natures = { disclosures: "disclosure", accesses: "access" } as const satisfies Record<string, AccessNature>;
const titles: Readonly<Record<AccessNature, string>> = {
  disclosure: "Disclosures: made to be given away, and to whom (45 CFR 164.528)",
  access: "Accesses: looked at, opened or built again here; no disclosures",
};

interface DisclosuresCommand extends Shown {
  readonly years: number;
  readonly only?: keyof typeof natures;
}

async function disclosures(patient: string, options: DisclosuresCommand): Promise<void> {
  const { years, only, reason, by, fhir, json } = options;
  await withAudit({}, async (given) => {
    const { codec, pool } = given;
    const found = await withProgress(!json && !fhir, "records", async ({ tell }) => {
      const source = { ...given.source, log: watchedLog(given.log, tell) };
      const disclosed = await eventsOfPatient(source, patient);
      if (!disclosed.isKnown) throw await nothingAbout(pool, "patient", patient);
      const since = new Date();
      since.setUTCFullYear(since.getUTCFullYear() - years);
      const shown = await disclosuresOf(source, disclosed, since.getTime());
      const sent = await deliveryDisclosures({ ...source, codec }, disclosed, since.getTime());
      return {
        patients: disclosed.patients,
        all: oldestFirst<(typeof shown)[number] | (typeof sent)[number]>([...shown, ...sent]),
      };
    });
    await recordAccess(given.log, codec, {
      action: "READ",
      command: "audit disclosures",
      subject: { kind: "patient", id: patient },
      patients: [...found.patients],
      reason,
      actor: actorOf(by),
    });
    const told = found.all.filter(({ value }) => only === undefined || natures[only] === natureOf(value));
    if (fhir) return printEvents(told, given.log);
    if (json) {
      for (const each of told) printJson({ kind: natureOf(each.value), ...accessRow(each) });
      return;
    }
    for (const [name, nature] of Object.entries(natures)) {
      if (only !== undefined && only !== name) continue;
      print(titles[nature]);
      printTable(told.filter(({ value }) => natureOf(value) === nature).map((each) => ({ ...accessRow(each) })));
      print();
    }
  });
}

export function registerAuditAccess(command: Command): void {
  const asked = command
    .command("access")
    .description(
      "who read, opened, exported or replayed what, and what operators decided; oldest first; recorded as an access itself",
    )
    .option("--who <name>", "done by this one, as recorded", nameGiven)
    .addOption(
      new Option(
        "--action <action>",
        "of one kind; DELIVER, what was sent to partners, is told only where it is asked for; OPEN tells exports, replays and rebuilds that opened something, too",
      ).choices([...auditActions]),
    )
    .option("--of <kind/id>", "that name this `claim/ID`, `visit/ID` or `patient/ID`", subjectOf)
    .option("--since <time>", "at or after", instantOf)
    .option("--until <time>", "before", instantOf)
    .option("--limit <n>", "at most so many, the last ones; standard error says when there are more", countOf)
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)");
  withAccessOptions(asked, { json: "one JSON object a line" }).action(access);
  const owed = command
    .command("disclosures")
    .argument("<patient>", "surrogate id; records merged with it count too", surrogateOf)
    .description(
      "what about a patient was delivered or made to be given away, to whom and why, over six years (45 CFR 164.528), and apart from it who looked at what here; accesses to everyone's data where the patient is in it among them; recorded as an access itself",
    )
    .option("--years <n>", "how far back", yearsOf, disclosureYears)
    .addOption(new Option("--only <kind>", "one of the two").choices(Object.keys(natures)))
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)");
  withAccessOptions(owed, { json: "one JSON object a line; `kind`: disclosure or access" }).action(disclosures);
}
