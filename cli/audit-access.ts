import { type Command, InvalidArgumentError } from "commander";
import {
  type AuditRecord,
  auditRecords,
  disclosuresOf,
  disclosureYears,
  isAccess,
  recordAccess,
} from "../engine/audit/access.js";
import { auditEventOf } from "../engine/audit/audit-event.js";
import { mergedPatients } from "../engine/audit/trail.js";
import { readJournalId } from "../engine/log/topics.js";
import { actorOf, surrogateOf } from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { printJson, printTable } from "./output.js";

function yearsOf(text: string): number {
  const years = Number(text);
  if (!(years > 0)) throw new InvalidArgumentError("years above zero.");
  return years;
}

function rowOf(found: AuditRecord) {
  const { meta, reason } = found.value as AuditRecord["value"] & { readonly reason?: string | null };
  const common = { when: new Date(meta.time).toISOString(), who: meta.actor };
  if (!isAccess(found)) {
    const { event } = found.value as unknown as {
      readonly event: { projection: string; topic: string; partition: number; offset: number };
    };
    const what = `${event.projection} ${event.topic}/${event.partition}/${event.offset}`;
    return { ...common, action: found.type, what, events: 1, units: 0, reason: reason ?? null, recipient: null };
  }
  const { action, subject, events, units, recipient } = found.value;
  return { ...common, action, what: `${subject.kind} ${subject.id}`, events, units, reason: reason ?? null, recipient };
}

export function registerAuditAccess(command: Command): void {
  command
    .command("access")
    .description("who read, opened, exported or replayed what, and what operators decided; oldest first")
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)")
    .option("--json", "one JSON object a line")
    .action((options: { fhir?: boolean; json?: boolean }) =>
      withAudit({}, async ({ log, codec }) => {
        const found: AuditRecord[] = [];
        for await (const each of auditRecords(log, codec)) found.push(each);
        found.sort((left, right) => left.value.meta.time - right.value.meta.time);
        const installation = options.fhir ? await readJournalId(log) : "";
        if (options.fhir) for (const each of found) printJson(auditEventOf(each, installation));
        else if (options.json) for (const each of found) printJson(rowOf(each));
        else printTable(found.map(rowOf));
      }),
    );
  command
    .command("disclosures")
    .argument("<patient>", "surrogate id; records merged with it count too", surrogateOf)
    .description("who was shown or given what about a patient, over six years; recorded as an access itself")
    .option("--years <n>", "how far back", yearsOf, disclosureYears)
    .option("--by <name>", "who asks; default the user of the system")
    .option("--fhir", "one FHIR R4 AuditEvent a line (IHE BALP)")
    .option("--json", "one JSON object a line")
    .action((patient: string, options: { years: number; by?: string; fhir?: boolean; json?: boolean }) =>
      withAudit({}, async ({ log, codec, source }) => {
        const patients = await mergedPatients(source, patient);
        const since = new Date();
        since.setUTCFullYear(since.getUTCFullYear() - options.years);
        const found = await disclosuresOf(log, codec, patients, since.getTime());
        await recordAccess(log, codec, {
          action: "READ",
          command: "audit disclosures",
          subject: { kind: "patient", id: patient },
          patients: [...patients],
          actor: actorOf(options.by),
        });
        const installation = options.fhir ? await readJournalId(log) : "";
        if (options.fhir) for (const each of found) printJson(auditEventOf(each, installation));
        else if (options.json) for (const each of found) printJson(rowOf(each));
        else printTable(found.map(rowOf));
      }),
    );
}
