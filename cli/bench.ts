import { join } from "node:path";
import { type Command, Option } from "commander";
import type { AuditPart } from "../bench/audit/run.js";
import { runGenerate } from "../bench/generate.js";
import { repositoryRoot } from "../engine/service/root.js";
import { openInstallation } from "./installation.js";
import { countOf, secondsOf } from "./instant.js";
import { assertFolder } from "./misuse.js";
import { print, printJson } from "./output.js";

export function registerBench(command: Command): void {
  command
    .command("generate")
    .description("HL7 v2 messages a second that the demo's region makes on one core, into nothing")
    .option("--messages <n>", "how many", countOf, 200_000)
    .option("--seed <text>", "seed of the region", "bench")
    .option("--json", "one JSON object")
    .action((options: { messages: number; seed: string; json?: boolean }) => {
      runGenerate([
        "--messages",
        String(options.messages),
        "--seed",
        options.seed,
        ...(options.json ? ["--json"] : []),
      ]);
    });
  command
    .command("projector")
    .description(
      "the projector's speed on this installation's services: beside its peers, with several processes, with many keys, idle, and under the region's load. In databases and topics of its own, which it removes",
    )
    .option("--events <n>", "events of a full run; the parts derive theirs", countOf, 1_000_000)
    .option("--only <parts>", "peers, processes, keys, idle, region; separated by commas")
    .option(
      "--peers <folder>",
      "the side-by-side benchmark of other engines; without it the peers' part has our figures alone",
    )
    .option("--write", "put the tables into docs/performance.md")
    .option("--json", "one JSON object a part")
    .action(async (given: { events: number; only?: string; peers?: string; json?: boolean; write?: boolean }) => {
      assertFolder(given.peers);
      const { readOptions } = await import("../bench/projector/options.js");
      const { benchProjector } = await import("../bench/projector/command.js");
      const options = readOptions({ ...given, events: String(given.events) });
      await benchProjector(await openInstallation(), options, print);
    });

  command
    .command("intake")
    .description("how fast connectors take in and answer, over their real protocols; order is checked at the far end")
    .option("--only <connector...>", "connectors to measure; default: all that have a bench")
    .option("--units <n>", "units of the throughput run", countOf)
    .option("--rate <n>", "units a second of the latency run", countOf)
    .option("--no-large", "without the files of 100 MB")
    .option("--profile <folder>", "keep V8 profiles of the connector here")
    .option("--json", "one JSON object a connector")
    .addHelpText("after", "\nExit code 2: a figure was not reached.")
    .action(
      async (options: {
        only?: string[];
        units?: number;
        rate?: number;
        large: boolean;
        profile?: string;
        json?: boolean;
      }) => {
        await openInstallation();
        const { isReached, runIntakeBench } = await import("../bench/intake/run.js");
        for await (const run of runIntakeBench(options.only ?? [], {
          large: options.large,
          ...(options.units && { units: options.units }),
          ...(options.rate && { rate: options.rate }),
          ...(options.profile && { profile: options.profile }),
        })) {
          if (!run.measures.every(isReached)) process.exitCode = 2;
          if (options.json) printJson(run);
          else {
            print(`${run.connector}: ${run.about}`);
            for (const measure of run.measures) {
              const wanted =
                measure.atLeast !== undefined
                  ? `, at least ${measure.atLeast}`
                  : measure.atMost !== undefined
                    ? `, at most ${measure.atMost}`
                    : "";
              print(
                `  ${measure.name}: ${measure.value} ${measure.unit}${wanted && ` (${isReached(measure) ? "reached" : "NOT REACHED"}${wanted})`}`,
              );
            }
            for (const sentence of run.checked) print(`  checked: ${sentence}`);
          }
        }
      },
    );

  command
    .command("isolation")
    .description("what one connector's partner sees while another connector is flooded, fed with poison and killed")
    .option("--seconds <n>", "of each stretch", secondsOf, 15)
    .option("--rate <n>", "units a second of that partner", countOf, 50)
    .option("--corpus <folder>", "folder of samples, whose malformed ones are sent")
    .option("--write", "put the table into docs/performance.md")
    .option("--json", "one JSON object a stretch")
    .action(async (given: { seconds: number; rate: number; corpus?: string; write?: boolean; json?: boolean }) => {
      assertFolder(given.corpus);
      await openInstallation();
      const { measureIsolation } = await import("../bench/isolation/run.js");
      const { renderIsolation, writeIsolation } = await import("../bench/isolation/report.js");
      const options = {
        milliseconds: given.seconds * 1000,
        rate: given.rate,
        ...(given.corpus && { corpus: given.corpus }),
      };
      const stretches = await measureIsolation(options, given.json ? printJson : () => {});
      const text = renderIsolation(stretches, options);
      if (!given.json) print(text);
      if (given.write) writeIsolation(join(repositoryRoot, "docs/performance.md"), text);
    });

  command
    .command("audit")
    .description(
      "the notary's speed and memory, and how long a trail takes with a timeline of millions of events and without one. In databases and topics of its own, which it removes",
    )
    .addOption(new Option("--only <part>", "one of the two").choices(["notary", "trail"]))
    .option("--events <n>", "rows of the timeline beside those of real events", countOf, 10_000_000)
    .option("--records <n>", "records that the notary chains", countOf, 1_000_000)
    .option("--people <n>", "of the region whose events are really in the log, eighteen events each", countOf, 12_000)
    .option("--trails <n>", "of each kind", countOf, 200)
    .option("--write", "put the figures into docs/performance.md")
    .option("--json", "one JSON object")
    .action(
      async (given: {
        only?: AuditPart;
        events: number;
        records: number;
        people: number;
        trails: number;
        write?: boolean;
        json?: boolean;
      }) => {
        const { auditParts, measureAudit, renderAudit, writeAudit } = await import("../bench/audit/run.js");
        const options = {
          only: given.only ? [given.only] : auditParts,
          events: given.events,
          records: given.records,
          people: given.people,
          trails: given.trails,
        };
        const run = await measureAudit(await openInstallation(), options, (next) => process.stderr.write(`${next}\n`));
        const texts = renderAudit(run, options);
        if (given.json) printJson(run);
        else for (const text of texts.values()) print(`${text}\n`);
        if (given.write) writeAudit(join(repositoryRoot, "docs/performance.md"), texts);
      },
    );
}
