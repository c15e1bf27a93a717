import { BaseSequencer, type TestSpecification } from "vitest/node";
import { longSpecs } from "./long-specs.js";

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longSpecs.findIndex((path) => moduleId.endsWith(`/${path}`));
  return at < 0 ? longSpecs.length : at;
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
