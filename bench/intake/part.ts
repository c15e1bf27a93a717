import type { BenchPlace } from "./place.js";

/** What a run may be told. Every part has its own defaults. */
export interface IntakeBenchOptions {
  /** Units of the throughput run. */
  readonly units?: number;
  /** Units a second of the latency run. */
  readonly rate?: number;
  /** False leaves out the files of 100 MB; default true. */
  readonly large?: boolean;
  /** Folder for V8 profiles of the connector (`--cpu-prof`). */
  readonly profile?: string;
}

/** One measured figure, and what it has to reach. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Least or greatest value that is good enough; a measure without either is only told. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What a run came to: figures, and what was checked at the far end before a figure counts. */
export interface IntakeBenchResult {
  readonly measures: readonly Measure[];
  /** Each sentence says what holds; a check that fails throws. */
  readonly checked: readonly string[];
}

/** The bench of one connector: a file of its own in `parts/`, found by being there. */
export interface IntakeBenchPart {
  /** Folder name in `producers/`. */
  readonly connector: string;
  /** What is sent, how, and what counts as accepted. */
  readonly about: string;
  /** Settings of the connector beside those of the installation. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Measures. @param place an installation of its own on the given services, the connector running and ready. */
  run(place: BenchPlace, options: IntakeBenchOptions): Promise<IntakeBenchResult>;
}
