import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take more than fifteen seconds, longest first. */
const long = [
  "test/crash.e2e.spec.ts",
  "test/corpus.e2e.spec.ts",
  "test/audit.e2e.spec.ts",
  "test/brokers.e2e.spec.ts",
  "test/acknowledgments.e2e.spec.ts",
  "test/demo.e2e.spec.ts",
  "test/new-connector.e2e.spec.ts",
  "test/parked.e2e.spec.ts",
  "test/commands.e2e.spec.ts",
  "test/new-consumer.e2e.spec.ts",
  "stack/local.int.spec.ts",
  "test/erasure.int.spec.ts",
  "engine/projector/runner-stops.int.spec.ts",
  "engine/projector/simulation.int.spec.ts",
  "engine/log/subscription.int.spec.ts",
  "test/retranslation.int.spec.ts",
];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = long.findIndex((path) => moduleId.endsWith(`/${path}`));
  return at < 0 ? long.length : at;
};

/**
 * Of each level the long files first, so that none of them is left to run alone at its end. Vitest itself would order by
 * the times of the last run, which a fresh clone doesn't have.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = (file: TestSpecification) => file.project.config.sequence.groupOrder;
    const sorted = await super.sort(files);
    return sorted.sort((left, right) => order(left) - order(right) || rank(left) - rank(right));
  }
}
