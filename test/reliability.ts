import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";
import type { ChaosFigures } from "../engine/testing/chaos.js";

/** The page, from the root of the checkout. */
export const reliabilityPage = "docs/reliability.md";

/** The specs of the guarantees: those that record what they saw. Nothing registers them. */
export function chaosSpecs(): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.spec.ts"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(repositoryRoot, path)))
    .filter((path) => /\brecordChaos\(/.test(readFileSync(join(repositoryRoot, path), "utf8")))
    .sort();
}

const figuresIn = (folder: string) =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name))
    .map((path) => ({ path, figures: JSON.parse(readFileSync(path, "utf8")) as ChaosFigures }));

/** What the specs of a run wrote into the folder of TRIBUTARY_CHAOS_REPORT. */
export const readFigures = (folder: string): ChaosFigures[] => figuresIn(folder).map(({ figures }) => figures);

/** Removes what specs recorded before, so that one that fails now leaves nothing there. */
export function forgetFigures(folder: string, specs: readonly string[]): void {
  for (const { path, figures } of figuresIn(folder)) if (specs.includes(figures.spec)) rmSync(path);
}

/** Specs that a page names, sorted. */
export const specsNamedIn = (page: string): string[] =>
  [...new Set([...page.matchAll(/^\|.*`([\w./-]+\.spec\.ts)`/gm)].map(([, path = ""]) => path))].sort();

const number = (value: number) => value.toLocaleString("en-US");
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const faultCount = ({ faults }: ChaosFigures) => Object.values(faults).reduce((sum, hits) => sum + hits, 0);

const rowOf = (figures: ChaosFigures): string[] => [
  figures.guarantee,
  `\`${figures.spec}\``,
  figures.seeds === 0 ? "every case" : number(figures.seeds),
  number(figures.kills),
  Object.entries(figures.faults)
    .map(([kind, hits]) => `${kind}: ${number(hits)}`)
    .join("<br>"),
  number(figures.events),
  number(figures.violations),
];

const head = [
  "guarantee",
  "spec",
  "seeds",
  "processes killed",
  "faults that hit work in progress",
  "events checked",
  "violations",
];

/** A long run has every case and thousands of seeds, a short one a sample of them, as `npm test` has. */
export type RunLength = "long" | "short";

/** `docs/reliability.md`, from what one run recorded; `seed` is the first of its seeds. */
export function reliabilityDocument(figures: readonly ChaosFigures[], seed: number, length: RunLength): string {
  const order = ({ guarantee, spec }: ChaosFigures) => `${guarantee}\0${spec}`;
  const sorted = [...figures].sort((left, right) => (order(left) < order(right) ? -1 : 1));
  const sum = (of: (one: ChaosFigures) => number) => sorted.reduce((total, one) => total + of(one), 0);
  const total = [
    "**in all**",
    "",
    number(sum(({ seeds }) => seeds)),
    number(sum(({ kills }) => kills)),
    number(sum(faultCount)),
    number(sum(({ events }) => events)),
    number(sum(({ violations }) => violations)),
  ];
  const rows = [head, head.map(() => "---"), ...sorted.map(rowOf), total];
  return `<!-- Made by \`npm run test:chaos\` from what its specs recorded; a test compares the specs named. -->
# Reliability

What Tributary promises about the rows in Postgres: each event of the log is in them exactly once, in the order of its key, and no fault of a process, a connection or a server changes that. And about what partners are told: accepted means in the journal, once; rejected means that nothing came of it. A promise of this kind is worth what was done to break it. So each guarantee has a spec that breaks things on purpose while work is under way, and then compares every row, every checkpoint and every key held back with the whole log folded in memory: one event after the other, without batches, caches or a database.

The table is what a ${length} run recorded${length === "short" ? ": a sample of the schedules and cases that the long one goes through" : ", as a whole or in parts on several days; a part is taken again when what it tests has changed"}. How to read it:

- **Seeds** are random schedules; the same seed makes the same schedule. *Every case* means that the spec goes through all of them and needs no chance.
- **Processes killed** ended by SIGKILL, as in a power cut: nothing of them could be finished or tidied up.
- **Faults** count only when they hit work in progress: a statement, a request or a batch under way. A kind of fault that never did fails the run, for it would prove nothing.
- **Events checked** are events whose rows, or whose order, were compared afterwards, each time they were.
- **Violations** are rows or orders that were not what the log says, or answers that were not true. A run with one writes no page.

${rows.map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")}

## Run it

\`\`\`
npm run test:chaos                                # every spec of the table, at full length; then writes this page
TRIBUTARY_CHAOS=sample npm run test:chaos         # the same as a short run
npm run test:chaos -- engine/projector            # only specs whose path has this in it; leaves the page alone
TRIBUTARY_CHAOS_REPORT=figures npm run test:chaos -- engine/projector   # a part; when all parts are there, the page is written
npm test                                          # a seeded sample of each, with everything else
\`\`\`

It needs what \`npm test\` needs: Node; Kafka, the registry and Postgres are started beside it unless settings name others.

## Replay a seed

A spec that fails names the seed, and where one was struck the call: \`seed 17, killed halfway call 42\`. The setting \`TRIBUTARY_SEED\` is the first seed that every spec uses (this page: ${seed}), so the same schedule comes first:

\`\`\`
TRIBUTARY_SEED=17 npm run test:chaos -- crash-points
\`\`\`

What the seed decides is the log, the schedule and the faults. Threads of the operating system and of the servers are their own masters: a fault between two of their moves may need several runs to hit the same gap again.
`;
}
