/** Milliseconds between two lines: where one line changes, and where each stays. */
const everyMilliseconds = { terminal: 200, other: 5_000 } as const;

const duration = (seconds: number): string => {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
};

/** Told what long work is at: its step, and how much of it is done, where that is known. */
export type TellProgress = (step: string, done?: number, total?: number) => void;

/**
 * Tells on standard error what long work is at: rate, share, time left. One line that changes where that is a terminal, else
 * a line every few seconds, so that what is quick says nothing.
 */
export class ProgressLine {
  readonly #isTold: boolean;
  readonly #unit: string;
  readonly #tellsEnds: boolean;
  readonly #isTerminal = process.stderr.isTTY === true;
  #step: string | undefined;
  #from = { at: 0, done: 0 };
  #toldAt = performance.now();
  #open = false;

  /**
   * @param isTold false for a caller who reads the output by program.
   * @param unit what is counted.
   * @param tellsEnds whether the end of each step is told however quick it was, and wherever standard error goes.
   */
  constructor(isTold: boolean, unit = "events", tellsEnds = false) {
    this.#isTold = isTold;
    this.#unit = unit;
    this.#tellsEnds = tellsEnds || this.#isTerminal;
  }

  readonly tell: TellProgress = (step, done, total) => {
    if (!this.#isTold) return;
    const now = performance.now();
    const isNew = step !== this.#step;
    if (isNew) {
      this.#step = step;
      this.#from = { at: now, done: done ?? 0 };
      this.end();
    }
    const isEnd = done !== undefined && done === total;
    const every = everyMilliseconds[this.#isTerminal ? "terminal" : "other"];
    const isDue = (isNew && this.#isTerminal) || (isEnd && this.#tellsEnds);
    if (now - this.#toldAt < every && !isDue) return;
    this.#toldAt = now;
    this.#write(`${step}${done === undefined || total === undefined ? "" : this.#share(done, total, now)}`);
  };

  #share(done: number, total: number, now: number): string {
    const share = total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
    const seconds = (now - this.#from.at) / 1000;
    const rate = seconds > 0 ? (done - this.#from.done) / seconds : 0;
    const left = rate > 0 && total > done ? `, ${duration((total - done) / rate)} left` : "";
    return `  ${share} %  ${done} of ${total} ${this.#unit}, ${Math.round(rate)} ${this.#unit}/s${left}`;
  }

  #write(line: string): void {
    if (this.#isTerminal) process.stderr.write(`\r\u001b[K${line}`);
    else process.stderr.write(`${line}\n`);
    this.#open = this.#isTerminal;
  }

  /** Ends the line that changes. */
  end(): void {
    if (this.#open) process.stderr.write("\n");
    this.#open = false;
  }
}

/** Long work that tells what it is at. The line ends before anything else is printed, or with the work. */
export async function withProgress<Result>(
  isTold: boolean,
  unit: string,
  work: (progress: ProgressLine) => Promise<Result>,
): Promise<Result> {
  const progress = new ProgressLine(isTold, unit);
  try {
    return await work(progress);
  } finally {
    progress.end();
  }
}
