import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { numbersOf } from "../../demo/load.js";
import { generateRegion, type Region } from "../../demo/region.js";

const playedSchema = z.array(
  z.object({
    seed: z.string(),
    patients: z.number(),
    days: z.number(),
    from: z.string(),
    firstNumber: z.number(),
    finished: z.boolean(),
  }),
);
type Played = z.output<typeof playedSchema>[number];

/** The regions that were played into one installation, so that a run knows what is there and what is true of it. */
export class DemoHistory {
  readonly #file: string;
  readonly #played: Played[];

  constructor(home: string) {
    this.#file = join(home, "demo.json");
    this.#played = readPlayed(this.#file);
  }

  /**
   * The region of these options: the same again when it was played before, else one whose people don't overlap with
   * those of any other.
   * @returns with `again` when some or all of it has been sent before.
   */
  begin(options: { readonly seed: string; readonly patients: number; readonly days: number }): {
    region: Region;
    again: boolean;
  } {
    const { seed, patients, days } = options;
    const before = this.#played.find((one) => one.seed === seed && one.patients === patients && one.days === days);
    if (before) return { region: generateRegion(before), again: true };
    const firstNumber = this.#played.reduce(
      (next, one) => Math.max(next, one.firstNumber + numbersOf(one.patients)),
      0,
    );
    const region = generateRegion({ seed, patients, days, firstNumber });
    this.#played.push({ seed, patients, days, from: region.options.from, firstNumber, finished: false });
    this.#write();
    return { region, again: false };
  }

  finish(region: Region): void {
    for (const one of this.#played) if (one.firstNumber === region.options.firstNumber) one.finished = true;
    this.#write();
  }

  /** Every region that was begun, this one included: what is true of all of them is what the read models hold. */
  regions(): Region[] {
    return this.#played.map((one) => generateRegion(one));
  }

  /** Regions begun and never played to their end, other than this one: what is there of them can't be known. */
  unfinished(except: Region): Region[] {
    return this.#played
      .filter((one) => !one.finished && one.firstNumber !== except.options.firstNumber)
      .map((one) => generateRegion(one));
  }

  #write(): void {
    mkdirSync(join(this.#file, ".."), { recursive: true });
    writeFileSync(this.#file, `${JSON.stringify(this.#played, null, 2)}\n`);
  }
}

function readPlayed(file: string): Played[] {
  try {
    return playedSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return [];
  }
}
