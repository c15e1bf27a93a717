import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { type ReadableTrail, readableTrail } from "../engine/audit/readable.js";
import { assertStillOpen } from "../engine/audit/still-open.js";
import { type TrailKind, trailOf } from "../engine/audit/trail.js";
import { type AccessOptions, actorOf, shown, surrogateOf, trailKindOf, withAccessOptions } from "./audit-options.js";
import { withAudit } from "./audit-source.js";
import { print, printJson } from "./output.js";
import { withProgress } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

interface TrailOptions extends AccessOptions {
  readonly scan?: boolean;
}

function printUnit(unit: ReadableTrail["units"][number]): void {
  if (unit.again) {
    const { unit: place, generation, reason } = unit.again;
    print(`${unit.receivedAt}  unit ${place} translated again  generation ${generation}, entry ${unit.place}`);
    print(`    because ${reason ?? "-"}`);
    return;
  }
  const verdict = unit.accepted ? "accepted" : `REJECTED ${unit.code} ${unit.location ?? ""}`;
  print(`${unit.receivedAt}  unit ${unit.place}  ${unit.partner}  ${unit.format}  ${verdict}`);
  print(`    answered ${unit.answer ?? "-"}  ${unit.size} bytes  ${unit.sha256 ? `sha256 ${unit.sha256}` : "sealed"}`);
  if (unit.bytes) for (const line of unit.bytes.toString("latin1").split(/\r\n?|\n/)) print(`    | ${line}`);
}

function printEvent(event: ReadableTrail["events"][number]): void {
  const again = event.generation > 0 ? `  generation ${event.generation}, entry ${event.entry}` : "";
  const standing = event.standsIn.length === 0 ? "" : `, but not in ${event.standsIn.join(", ")}`;
  const gone = event.supersededBy === null ? "" : `  SUPERSEDED by ${event.supersededBy}${standing}`;
  print(`  ${event.occurredAt}  ${event.type}  ${event.place}${again}${gone}`);
  if (event.stray !== null) print(`    names ${event.entry}, BUT ${event.stray}`);
  for (const { projection, table, row, change, columns } of event.changes) {
    print(`    ${change} ${projection}.${table} ${row}`);
    for (const [column, [before, after]] of Object.entries(columns)) {
      print(`      ${column}: ${change === "made" ? shown(after) : `${shown(before)} -> ${shown(after)}`}`);
    }
  }
  for (const name of event.parked) print(`    PARKED in ${name}`);
}

function decisionText({ projection, action, by, at, reason }: ReadableTrail["decisions"][number]): string {
  return `${action === "skip" ? "SKIPPED" : "to be PARKED"} in ${projection} by ${by} at ${at}: ${reason ?? "no reason"}`;
}

function printDelivery(delivery: ReadableTrail["deliveries"][number]): void {
  const { consumer, destination, status, responseCode, lastAttemptAt, attempts, opened, sent } = delivery;
  const unanswered = sent ? "no answer" : "no connection: nothing was sent";
  const answer = responseCode === null ? unanswered : `answered ${responseCode}`;
  const tried = attempts === 1 ? "" : `  after ${attempts} attempts`;
  print(
    `    ${status} to ${consumer} (${destination})  ${lastAttemptAt}  ${answer}${tried}${opened ? "  OPENED" : ""}`,
  );
  print(`      delivery ${delivery.deliveryId}  sha256 ${delivery.bodySha256}`);
  if (delivery.evidence === "removed") print("      REMOVED from the database: only the log tells of it");
  if (delivery.evidence === "changed") print("      CHANGED in the database: this is what the log tells");
}

/** Units in the order received, each with the events made of it, each with the rows it changed and who was sent it. */
function printTrail(trail: ReadableTrail): void {
  const { subject, patients, apart, held, decisions, by, units, events, deliveries } = trail;
  print(`${subject.kind} ${subject.id}  (${events.length} events of ${units.length} units, by ${by})`);
  if (subject.kind === "patient" && patients.length > 1) print(`merged or named with: ${patients.join(" ")}`);
  if (apart.patients.length > 0)
    print(`NOT with it: ${apart.patients.join(" ")}, un-merged or booked wrongly; units that tell of them stay sealed`);
  if (apart.visits.length > 0) print(`visits moved to others, each with a trail of its own: ${apart.visits.join(" ")}`);
  if (apart.claims.length > 0) print(`claims of others, each with a trail of its own: ${apart.claims.join(" ")}`);
  for (const { projection, key, place, code } of held)
    print(`HELD BACK in ${projection}: ${key} from ${place} on (${code}); see parked show ${projection} ${place}`);
  const places = new Set(events.map(({ place }) => place));
  for (const decision of decisions)
    if (!places.has(decision.place)) print(`${decision.key} at ${decision.place}: ${decisionText(decision)}`);
  const printEventsOf = (told: ReadableTrail["events"]): void => {
    for (const event of told) {
      printEvent(event);
      for (const decision of decisions) if (decision.place === event.place) print(`    ${decisionText(decision)}`);
      for (const delivery of deliveries) if (delivery.place === event.place) printDelivery(delivery);
    }
  };
  for (const unit of units) {
    print();
    printUnit(unit);
    printEventsOf(events.filter((event) => event.unit === unit.place && event.stray === null));
  }
  const received = new Set(units.map(({ place }) => place));
  const ofNone = events.filter(({ unit, stray }) => stray !== null || !received.has(unit));
  if (ofNone.length > 0) print("\nOF NO UNIT: read models believe these events, and the journal does not have them");
  printEventsOf(ofNone);
  print();
  print(`deliveries to partners: ${deliveries.length}`);
  if (trail.deliveriesBy === "database")
    print("  as the database has them: the log tells of very many, and is read for them with --scan");
}

export function registerAuditTrail(command: Command): void {
  const trail = command
    .command("trail")
    .argument("<kind>", "claim, visit or patient", trailKindOf)
    .argument("<id>", "its surrogate id", surrogateOf)
    .description(
      "everything that happened: units as received and the answers given, the events made of them, the rows and columns that these changed, the deliveries made; recorded as an access",
    )
    .option("--scan", "read the whole log, although there is a timeline");
  const told = {
    open: "open what is sealed: bytes as received, names, identifiers",
    json: "one JSON object; bytes in base64",
  };
  withAccessOptions(trail, told).action((kind: TrailKind, id: string, options: TrailOptions) =>
    withAudit(options, async ({ log, pool, codec, source }) => {
      const { trail, opened } = await withProgress(!options.json, "records", ({ tell }) =>
        trailOf({ ...source, log: watchedLog(source.log, tell) }, kind, id),
      );
      await recordAccess(log, codec, {
        action: options.open ? "OPEN" : "READ",
        command: "audit trail",
        subject: { kind, id },
        patients: trail.patients,
        events: trail.events.length,
        units: options.open ? trail.units.length : 0,
        reason: options.reason,
        actor: actorOf(options.by),
      });
      await assertStillOpen(pool, opened);
      const readable = readableTrail(trail, source.projections);
      if (options.json) {
        const units = readable.units.map((unit) => ({ ...unit, bytes: unit.bytes?.toString("base64") ?? null }));
        printJson({ ...readable, units });
      } else printTrail(readable);
    }),
  );
}
