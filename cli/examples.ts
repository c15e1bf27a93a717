import type { Command } from "commander";

/** What `--help` shows to copy: a call, and what comes of it. By the command's path. */
const examples: Readonly<Record<string, readonly (readonly [call: string, what: string])[]>> = {
  demo: [
    ["tributary demo", "plays the region and stays up"],
    ["tributary demo --once --patients 200", "a smaller one; exits 0 only when every row is right"],
    ["tributary demo --audit", "about a minute; ends by itself"],
  ],
  up: [
    ["tributary up", "ready when it returns; as often as you like"],
    ["tributary up --json", "the addresses for a script"],
  ],
  down: [
    ["tributary down", "processes and stack; the data stays"],
    ["tributary down --keep-stack", "the processes only"],
  ],
  status: [
    ["tributary status", "as tables"],
    ["tributary status --json", "with every address"],
  ],
  run: [
    ["tributary run", "everything"],
    ["tributary run hl7v2 publisher patients", "these three"],
  ],
  doctor: [["tributary doctor", "exit code 0 when all is well"]],
  "config print": [["tributary config print", "each with its value and source"]],
  "migrate up": [["tributary migrate up", "as the owner of the database"]],
  "migrate status": [["tributary migrate status", "exit code 2 when one is missing"]],
  "migrate print": [["tributary migrate print > schema.sql", "to be reviewed, or run by hand"]],
  "topics apply": [["tributary topics apply", "once, and after every new version"]],
  "topics accept": [
    ['tributary topics accept --reason "added by mistake"', "keys stay in the partitions that they are in"],
  ],
  "topics check": [["tributary topics check", "exit code 2 when a topic differs"]],
  "schemas check": [
    ["tributary schemas check", "offline, as continuous integration does"],
    ["tributary schemas check --commit", "after a change of an .avsc file"],
  ],
  "schemas register": [["tributary schemas register", "before processes of a new version start"]],
  "schemas types": [["tributary schemas types", "after a change of an .avsc file"]],
  "producers list": [["tributary producers list", "names, partners, addresses"]],
  "producers run": [["tributary producers run hl7v2", "until Ctrl-C"]],
  "producers new": [
    ["tributary producers new lab-feed", "then change its translation"],
    ["tributary producers new acme --like hl7v2", "a connector of its own that begins as hl7v2 is"],
  ],
  "producers add-partner": [
    [
      `tributary producers add-partner hl7v2 lake --set 'match=[{"facility":"LAKE"}]' --set timezone=America/Chicago`,
      "a hospital over MLLP",
    ],
    ["tributary producers add-partner csv lake --auth signature", "with a secret that it signs with"],
  ],
  "producers fields": [["tributary producers fields hl7v2", "defaults and meaning of each"]],
  "producers restart": [["tributary producers restart hl7v2", "after a profile was added or changed"]],
  "consumers list": [["tributary consumers list --json", "names, read models, pids"]],
  "consumers run": [["tributary consumers run claims", "a second instance shares the partitions of the first"]],
  "consumers new": [["tributary consumers new bed-days", "then change its table and fold"]],
  "consumers restart": [["tributary consumers restart claims", "after its fold or `map` was changed and built"]],
  "consumers grants": [["tributary consumers grants claims", "for who sets up roles by hand"]],
  "vault erase": [
    ['tributary vault erase ID --reason "request 2026/17"', "asks first; ID as the read models show it"],
    ['tributary vault erase ID --person --yes --reason "request 2026/17"', "all records of the same person"],
  ],
  "vault rotate": [["tributary vault rotate --yes", "with TRIBUTARY_KEK_FILE new and TRIBUTARY_KEK_PREVIOUS_FILE old"]],
  "intake retranslate": [
    [
      'tributary intake retranslate --partner north --since 2026-01-01 --reason "PV1-44 was read as UTC" --dry-run',
      "what would differ, by event type",
    ],
    [
      'tributary intake retranslate --partner north --since 2026-01-01 --reason "PV1-44 was read as UTC"',
      "tells what differs",
    ],
    [
      'tributary intake retranslate --code PID_MISSING --reason "profile of north corrected"',
      "units that were rejected",
    ],
  ],
  validate: [
    ["tributary validate claims.837 --to x12", "what each claim would be answered, and the events it would make"],
    ["tributary validate admissions.hl7 --to hl7v2 --json", "one JSON object a message"],
  ],
  send: [
    ["tributary send admissions.hl7 --to hl7v2", "every message of the file, one after the other"],
    ["tributary send claims.837 --to x12 --partner clearing --json", "one JSON object a claim"],
  ],
  "events tail": [
    ["tributary events tail --entity visit --last 20", "of each partition"],
    ["tributary events tail --key 1f0d2a5e-0000-0000-0000-000000000000 --json", "all of one entity"],
  ],
  "events show": [["tributary events show health.visit.events/0/17", "what `events tail` calls a place"]],
  "intake status": [["tributary intake status", "in all and by partner"]],
  "intake list": [
    ["tributary intake list --rejected", "with codes and places"],
    ["tributary intake list --partner north --json", "one JSON object a unit"],
  ],
  "projections rebuild": [
    ["tributary projections rebuild claims", "beside the current build, compared, then put in its place"],
    ["tributary projections rebuild claims --no-swap --rate 20000", "gently, and without the last step"],
  ],
  "projections swap": [["tributary projections swap claims", "after a rebuild with --no-swap"]],
  "projections rollback": [["tributary projections rollback claims", "as fresh as what it replaces"]],
  "projections drop": [["tributary projections drop claims --yes", "when nobody will want to go back"]],
  "projections list": [["tributary projections list", "with lag and parked keys"]],
  "projections query": [
    ["tributary projections query 'select status, count(*) from claims group by 1'", "as a table"],
    ["tributary projections query 'table remittances' --json", "one JSON object a row"],
  ],
  "projections await": [["tributary projections await --timeout 60", "then query"]],
  "projections verify": [["tributary projections verify claims", "exit code 2 when a row differs"]],
  "parked list": [["tributary parked list --projection visits", "places, codes, since when"]],
  "parked show": [["tributary parked show visits health.visit.events/0/17", "with its reason"]],
  "parked retry": [
    ["tributary parked retry visits health.visit.events/0/17", "after its fold was mended"],
    ["tributary parked retry visits --all", "whatever the reason"],
    ["tributary parked retry visits --code TRIB_PROJECT_WRITE_REFUSED", "after its table was mended"],
  ],
  "parked skip": [
    ['tributary parked skip visits health.visit.events/0/17 --reason "sent in error, corrected since"', "asks first"],
  ],
  "parked park": [
    [
      'tributary parked park visits health.visit.events/0/17 --reason "its schema comes next week" --yes',
      "lets the others flow",
    ],
  ],
  "audit trail": [
    ["tributary audit trail claim 1f0d2a5e-0000-0000-0000-000000000000", "from submission to payment or reversal"],
    [
      'tributary audit trail patient 1f0d2a5e-0000-0000-0000-000000000000 --open --reason "appeal 17"',
      "with what is sealed; asked for by name, and recorded",
    ],
  ],
  "audit as-of": [
    ["tributary audit as-of claims --at 2026-01-31T23:59:59.999Z", "what was known when January ended, in UTC"],
    [
      "tributary audit as-of claims --at 2026-03-31T23:59:59.999Z --effective-at 2026-01-31T23:59:59.999Z",
      "what was known when March ended to have happened in January and before",
    ],
    [
      'tributary audit as-of claims --at 2026-01-31T23:59:59.999Z --open --reason "appeal 17"',
      "with the columns that identify a person",
    ],
    ["tributary audit as-of --drop as_of_claims_7", "it can be built again"],
  ],
  "audit diff": [
    [
      "tributary audit diff claims --from 2026-01-31T23:59:59.999Z --to 2026-02-28T23:59:59.999Z",
      "what February changed",
    ],
  ],
  "audit package": [
    ["tributary audit package claim 1f0d2a5e-0000-0000-0000-000000000000 --out claim.zip", "sealed as it is"],
    [
      'tributary audit package patient 1f0d2a5e-0000-0000-0000-000000000000 --open --reason "court order 5" --recipient court',
      "with the units as received",
    ],
    ["tributary audit package period 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z", "all of a day in UTC"],
  ],
  "audit verifier": [["tributary audit verifier /media/usb", "two files that need nothing else"]],
  "audit access": [
    ["tributary audit access --who ada --action OPEN --since 2026-01-01", "what one of us opened this year"],
    ["tributary audit access --fhir > audit-events.ndjson", "for an audit record repository"],
  ],
  "audit disclosures": [
    [
      "tributary audit disclosures 1f0d2a5e-0000-0000-0000-000000000000 --only disclosures",
      "the account that a patient may ask for",
    ],
  ],
  "audit verify": [
    ["tributary audit verify", "exit code 0, or 3 with the first break"],
    ["tributary audit verify --segments /backup/kafka-logs --json", "a copy of the brokers' files"],
  ],
  "audit prove": [
    [
      "tributary audit prove --topic health.claim.events --partition 0 --offset 17 --out proof.json",
      "the record, its path, and the signed checkpoint that it leads to",
    ],
    [
      "tributary audit prove --check proof.json --public-key $(cat notary.pub) --folder /media/checkpoints",
      "somewhere else: no log, no database, no network",
    ],
  ],
  "audit consistency": [
    [
      "tributary audit consistency --from /media/checkpoints/JOURNAL/health.claim.events/0/000000001200.json",
      "from a checkpoint that somebody kept to the last one",
    ],
    [
      "tributary audit consistency --from health.claim.events/0/1200 --to health.claim.events/0/5000 --out grown.json",
      "between two that the database has",
    ],
    ["tributary audit consistency --check grown.json --public-key $(cat notary.pub)", "exit code 0, or 3"],
  ],
  "audit folder": [
    ["tributary audit folder", "exit code 1 when it isn't mounted, or is another one"],
    ['tributary audit folder --begin --reason "disk lost on the 3rd"', "the old one is lost for good"],
  ],
  "audit key": [["tributary audit key", "to be kept by the auditor, outside of the installation"]],
  "bench audit": [
    ["tributary bench audit", "ten million events; some minutes, and 5 GB of disk while it runs"],
    ["tributary bench audit --events 100000 --records 100000 --people 500 --json", "a small one, for a script"],
  ],
  "bench generate": [["tributary bench generate --messages 100000", "messages a second"]],
  "bench intake": [
    ["tributary bench intake", "every connector that has a part in it"],
    ["tributary bench intake --only hl7v2 --json", "one of them, for a script"],
  ],
  "bench isolation": [
    ["tributary bench isolation --seconds 5", "a short look"],
    ["tributary bench isolation --corpus ../shared/data --write", "with malformed samples, into the documentation"],
  ],
  "bench projector": [
    ["tributary bench projector --only idle,keys --events 200000", "two parts, smaller"],
    ["tributary bench projector --peers ../peers --write", "everything, beside other engines, into the documentation"],
  ],
};

/** Adds its examples to the help of every command that has an action. */
export function addExamples(command: Command, path: string): void {
  for (const inner of command.commands) addExamples(inner, `${path} ${inner.name()}`);
  const found = examples[path] ?? [];
  if (found.length === 0) return;
  const width = Math.max(...found.map(([call]) => call.length));
  const lines = found.map(([call, what]) => `  ${call.padEnd(width)}   ${what}`);
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Paths that have examples. */
export const pathsWithExamples: readonly string[] = Object.keys(examples);
