import { readFileSync, writeFileSync } from "node:fs";
import { describeMachine, thisMachine } from "../projector/machine.js";
import { type Ground, inPlace } from "../projector/place.js";
import { figure, renderTable } from "../projector/report.js";
import { measureNotary, type NotaryRun } from "./notary.js";
import { measureTrails, type TrailRun } from "./trail.js";

export interface AuditBenchOptions {
  /** Rows of the timeline beside those of real events. */
  readonly events: number;
  /** Records that the notary chains. */
  readonly records: number;
  /** People of the region whose events are really there; about eighteen events each. */
  readonly people: number;
  /** Trails of each kind. */
  readonly trails: number;
  /** What is measured; the other is left as it stands in the document. */
  readonly only: readonly AuditPart[];
}

export const auditParts = ["notary", "trail"] as const;
export type AuditPart = (typeof auditParts)[number];

export interface AuditRun {
  readonly notary?: NotaryRun;
  readonly trail?: TrailRun;
}

/**
 * The notary over a log, and trails over a large timeline, each in a database and topics of its own.
 * @param tell told what comes next.
 */
export async function measureAudit(
  ground: Ground,
  { only, records, people, events, trails }: AuditBenchOptions,
  tell: (next: string) => void,
): Promise<AuditRun> {
  const run: { notary?: NotaryRun; trail?: TrailRun } = {};
  if (only.includes("notary")) {
    tell(`notary: ${records} records`);
    run.notary = await inPlace(ground, (place) => measureNotary(place, records));
  }
  if (only.includes("trail"))
    run.trail = await inPlace(ground, (place) => measureTrails(place, { people, rows: events, each: trails }, tell));
  return run;
}

const megabytes = (bytes: number | undefined) => figure(bytes && bytes / 2 ** 20, " MB");

function notaryText({ records, rate, own, postgres, peak, resident, storedBytes, verifyRate, proof }: NotaryRun) {
  const perMillion = (seconds: number | undefined) => figure(seconds && seconds / (records / 1e6));
  return [
    `The notary, a process of its own, chained and signed ${figure(records)} records of some 330 bytes in 8 partitions, from the first on; then \`audit verify\` read all of it again, and found nothing.`,
    renderTable({
      columns: ["notary", "records/s", "own CPU s/M", "Postgres CPU s/M", "most memory", "Postgres B/record"],
      rows: [
        [
          "chained and signed",
          figure(rate),
          perMillion(own),
          perMillion(postgres),
          megabytes(peak),
          figure(storedBytes),
        ],
      ],
    }),
    [
      `- Resident when a quarter, a half, three quarters and all were chained: ${resident.map(megabytes).join(", ")}.`,
      `- \`audit verify\`: ${figure(verifyRate)} records/s.`,
      `- The proof of one record, out of a tree of ${figure(proof.size)}: ${figure(proof.milliseconds, " ms")}: of the chain it reads two stretches of at most 1,024 hashes.`,
    ].join("\n"),
  ];
}

function trailText({ filled, logged, asked, plan }: TrailRun) {
  const scanned = asked.find(({ kind }) => kind === "claim");
  const patient = asked.find(({ what }) => what === "a patient");
  const atTenMillion = (milliseconds: number | undefined) =>
    figure(milliseconds && ((milliseconds / logged) * 1e7) / 1000, " s");
  return [
    `The timeline had ${figure(filled.rows)} rows (${megabytes(filled.tableBytes)}, indexes ${megabytes(filled.indexBytes)}): those of ${figure(logged)} real events of the demo's region, which the log has, and beside them rows that a generator put into the same table by COPY, eighteen a person, in ${figure(filled.seconds, " s")}. Trails of real claims, visits and patients were asked for, one after the other, each another one; a trail reads its events and units from the log, and folds them. *Command* is \`audit trail --json\` once, its start and the record of the access included. *Scan* is the same without the timeline, over the ${figure(logged)} events.`,
    renderTable({
      columns: ["trail of", "trails", "events each", "p50", "p99", "most", "command", "scan"],
      rows: asked.map(({ what, trails, events, p50, p99, most, command, scan }) => [
        what,
        figure(trails),
        figure(events),
        figure(p50, " ms"),
        figure(p99, " ms"),
        figure(most, " ms"),
        figure(command, " ms"),
        figure(scan, " ms"),
      ]),
    }),
    [
      `- Postgres finds the events by ${plan.join(", ")}.`,
      `- A scan reads the log as often as it learns of further ids: a claim's once or twice, a patient's several times. In proportion, 10 million events would take ${atTenMillion(scanned?.scan)} for a claim and ${atTenMillion(patient?.scan)} for a patient.`,
    ].join("\n"),
  ];
}

const sections: readonly { readonly part: AuditPart; readonly text: (run: AuditRun) => string[] }[] = [
  { part: "notary", text: ({ notary }) => (notary ? notaryText(notary) : []) },
  { part: "trail", text: ({ trail }) => (trail ? trailText(trail) : []) },
];

/** Each part that was measured, in Markdown. */
export function renderAudit(run: AuditRun, options: AuditBenchOptions): ReadonlyMap<AuditPart, string> {
  const day = new Date().toISOString().slice(0, 10);
  const { events, records, people, trails } = options;
  const asked: Readonly<Record<AuditPart, string>> = {
    notary: `--records ${records}`,
    trail: `--events ${events} --people ${people} --trails ${trails}`,
  };
  return new Map(
    sections.flatMap(({ part, text }) => {
      const words = text(run);
      if (words.length === 0) return [];
      const where = `Measured on ${day}: ${describeMachine(thisMachine())}; \`bench audit --only ${part} ${asked[part]}\`.`;
      return [[part, [`${words[0]} ${where}`, ...words.slice(1)].join("\n\n")] as const];
    }),
  );
}

const begin = (part: AuditPart) => `<!-- generated by bench audit: ${part} -->`;
const end = (part: AuditPart) => `<!-- end of bench audit: ${part} -->`;

/** Puts the figures between the marks of a document. @throws when it has none. */
export function writeAudit(path: string, texts: ReadonlyMap<AuditPart, string>): void {
  let whole = readFileSync(path, "utf8");
  for (const [part, text] of texts) {
    const [from, to] = [whole.indexOf(begin(part)), whole.indexOf(end(part))];
    if (from < 0 || to < from) throw new Error(`The document has no place for figures: ${begin(part)}, ${end(part)}.`);
    whole = `${whole.slice(0, from + begin(part).length)}\n\n${text}\n\n${whole.slice(to)}`;
  }
  writeFileSync(path, whole);
}
