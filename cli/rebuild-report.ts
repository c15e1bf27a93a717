import type { RebuildProgress, RebuildStep } from "../engine/replay/rebuild.js";

const everyMilliseconds = { terminal: 200, other: 5_000 } as const;
const words: Readonly<Record<RebuildStep, string>> = {
  fill: "fill",
  "catch up": "catch up",
  "hand over": "wait for the consumer",
  compare: "compare with the current build",
  swap: "swap",
};

const duration = (seconds: number): string => {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
};

/** Tells on standard error what a rebuild is at: rate, share, time left. One line that changes, where it is a terminal. */
export class RebuildReport {
  readonly #isTold: boolean;
  readonly #isTerminal = process.stderr.isTTY === true;
  #step: RebuildStep | undefined;
  #from = { at: 0, events: 0 };
  #toldAt = 0;
  #open = false;

  constructor(isTold: boolean) {
    this.#isTold = isTold;
  }

  tell({ step, build, events, total }: RebuildProgress): void {
    if (!this.#isTold) return;
    const now = performance.now();
    if (step !== this.#step) {
      this.#step = step;
      this.#from = { at: now, events: events ?? 0 };
      this.#toldAt = 0;
      this.end();
    }
    if (now - this.#toldAt < everyMilliseconds[this.#isTerminal ? "terminal" : "other"] && events !== total) return;
    this.#toldAt = now;
    const progress = events === undefined || total === undefined ? "" : this.#progress(events, total, now);
    this.#write(`build ${build}: ${words[step]}${progress}`);
  }

  #progress(events: number, total: number, now: number): string {
    const share = total === 0 ? 100 : Math.min(100, Math.floor((events / total) * 100));
    const seconds = (now - this.#from.at) / 1000;
    const rate = seconds > 0 ? (events - this.#from.events) / seconds : 0;
    const left = rate > 0 ? `, ${duration((total - events) / rate)} left` : "";
    return `  ${share} %  ${events} of ${total} events, ${Math.round(rate)} events/s${left}`;
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
