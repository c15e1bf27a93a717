import type { RebuildProgress, RebuildStep } from "../engine/replay/rebuild.js";
import { ProgressLine } from "./progress-line.js";

const words: Readonly<Record<RebuildStep, string>> = {
  fill: "fill",
  "catch up": "catch up",
  "hand over": "wait for the consumer",
  compare: "compare with the current build",
  swap: "swap",
};

/** Tells on standard error what a rebuild is at. */
export class RebuildReport {
  readonly #line: ProgressLine;

  constructor(isTold: boolean) {
    this.#line = new ProgressLine(isTold, "events", true);
  }

  tell({ step, build, events, total }: RebuildProgress): void {
    this.#line.tell(`build ${build}: ${words[step]}`, events, total);
  }

  /** Ends the line that changes. */
  end(): void {
    this.#line.end();
  }
}
