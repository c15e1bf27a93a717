import { type Command, InvalidArgumentError } from "commander";
import { type AuditRecord, auditRecords, recordAccess } from "../engine/audit/access.js";
import { accessRow } from "../engine/audit/access-row.js";
import { auditEventOf } from "../engine/audit/audit-event.js";
import { deliveryDisclosures, oldestFirst } from "../engine/audit/deliveries.js";
import { disclosuresOf, disclosureYears } from "../engine/audit/disclosures.js";
import { eventsOfPatient } from "../engine/audit/trail.js";
import { auditTopic } from "../engine/log/schemas.js";
import { readJournalId } from "../engine/log/topics.js";
import { TributaryError } from "../engine/service/errors.js";
import { actorOf, surrogateOf } from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { printJson, printTable } from "./output.js";

function yearsOf(text: string): number {
  const years = Number(text);
  if (!(years > 0)) throw new InvalidArgumentError("years above zero.");
  return years;
}

interface Shown {
  readonly fhir?: boolean;
  readonly json?: boolean;
}

async function show(found: readonly AuditRecord[], { fhir, json }: Shown, log: Parameters<typeof readJournalId>[0]) {
  const installation = fhir ? await readJournalId(log) : "";
  if (fhir) for (const each of found) printJson(auditEventOf(each, installation));
  else if (json) for (const each of found) printJson(accessRow(each));
  else printTable(found.map((each) => ({ ...accessRow(each) })));
}

export function registerAuditAccess(command: Command): void {
  command
    .command("access")
    .description(
      "who read, opened, exported or replayed what, and what operators decided; oldest first; recorded as an access itself",
    )
    .option("--by <name>", "who asks; default the user of the system")
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)")
    .option("--json", "one JSON object a line")
    .action((options: Shown & { by?: string }) =>
      withAudit({}, async ({ log, codec }) => {
        const found: AuditRecord[] = [];
        for await (const each of auditRecords(log, codec)) found.push(each);
        found.sort((left, right) => left.value.meta.time - right.value.meta.time);
        await recordAccess(log, codec, {
          action: "READ",
          command: "audit access",
          subject: { kind: "audit", id: auditTopic },
          patients: [],
          bulk: { opened: false },
          events: found.length,
          actor: actorOf(options.by),
        });
        await show(found, options, log);
      }),
    );
  command
    .command("disclosures")
    .argument("<patient>", "surrogate id; records merged with it count too", surrogateOf)
    .description(
      "who was shown, given or sent what about a patient, over six years, accesses to everyone's data where the patient is in it among them; recorded as an access itself",
    )
    .option("--years <n>", "how far back", yearsOf, disclosureYears)
    .option("--by <name>", "who asks; default the user of the system")
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)")
    .option("--json", "one JSON object a line")
    .action((patient: string, options: Shown & { years: number; by?: string }) =>
      withAudit({}, async ({ log, codec, source }) => {
        const disclosed = await eventsOfPatient(source, patient);
        if (disclosed.records.length === 0)
          throw new TributaryError("TRIB_CLI_NOT_FOUND", `The log has no event about a patient ${patient}.`);
        const since = new Date();
        since.setUTCFullYear(since.getUTCFullYear() - options.years);
        const shown = await disclosuresOf(source, disclosed, since.getTime());
        const sent = await deliveryDisclosures(source.pool, disclosed, since.getTime());
        const found = oldestFirst([...shown, ...sent]);
        await recordAccess(log, codec, {
          action: "READ",
          command: "audit disclosures",
          subject: { kind: "patient", id: patient },
          patients: [...disclosed.patients],
          actor: actorOf(options.by),
        });
        await show(found, options, log);
      }),
    );
}
