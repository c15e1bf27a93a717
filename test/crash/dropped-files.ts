import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readX12 } from "../../demo/answers.js";
import { dropFiles } from "../../demo/deliver.js";
import type { Expectation, Region } from "../../demo/region.js";

const partners = ["clearing", "insurer"] as const;

/** The drop folders of an installation while a region's interchanges lie in them. */
export class DroppedFiles {
  readonly #home: string;
  readonly #region: Region;
  readonly #total: number;

  constructor(home: string, region: Region) {
    this.#home = home;
    this.#region = region;
    this.#total = partners.reduce((sum, partner) => sum + [...region.expectations(partner)].length, 0);
  }

  /** Drops all of them in the order of their names: those that are there when the connector looks are taken in that order. */
  async drop(): Promise<void> {
    for (const partner of partners) {
      mkdirSync(this.#folder(partner, "in"), { recursive: true });
      const files = [...this.#region.deliveries(partner)];
      files.sort(({ fileName: one = "" }, { fileName: other = "" }) => (one < other ? -1 : 1));
      await dropFiles(files, this.#folder(partner, "in"));
    }
  }

  #folder(partner: string, name: string): string {
    return join(this.#home, "x12", partner, name);
  }

  #names(folder: string): string[] {
    return partners.flatMap((partner) => readdirSync(this.#folder(partner, folder)));
  }

  /** Files that were claimed and have not been moved. */
  inHand(): number {
    return this.#names("working").filter((name) => !name.startsWith(".")).length;
  }

  /** Every file has been moved. */
  over(): boolean {
    const moved = [...this.#names("done"), ...this.#names("failed")];
    return moved.filter((name) => !/\.(999|problem\.json)$/.test(name)).length >= this.#total;
  }

  /** Files are taken by name: of those with the same bytes, the first by name is the first, the others are sent again. */
  #expected(partner: (typeof partners)[number]): { fileName: string; bytes: Buffer; expectation: Expectation }[] {
    const waiting = new Map<string, Expectation[]>();
    const files = [...this.#region.deliveries(partner)].map(({ fileName = "", bytes, expectation }) => {
      const content = bytes.toString("latin1");
      waiting.set(content, [...(waiting.get(content) ?? []), expectation]);
      return { fileName, bytes, content };
    });
    files.sort((one, other) => (one.fileName < other.fileName ? -1 : 1));
    return files.map(({ fileName, bytes, content }) => ({
      fileName,
      bytes,
      expectation: waiting.get(content)?.shift() as Expectation,
    }));
  }

  /** Files that are not where they belong, with another answer than expected, or with bytes that were not sent. */
  wrong(): string[] {
    const wrong: string[] = [];
    for (const partner of partners) {
      for (const { fileName, bytes, expectation } of this.#expected(partner)) {
        const folder = this.#folder(partner, expectation.accepted ? "done" : "failed");
        const [file, answer] = [join(folder, fileName), join(folder, `${fileName}.999`)];
        if (!existsSync(file)) wrong.push(`${fileName} isn't in ${folder}`);
        else if (!readFileSync(file).equals(bytes)) wrong.push(`${fileName} has other bytes`);
        else if (expectation.answer === "none" && existsSync(`${file}.problem.json`)) continue;
        else if (!existsSync(answer)) wrong.push(`${fileName} has no answer`);
        else {
          const told = readX12(readFileSync(answer, "latin1"), 200).answer;
          if (told !== expectation.answer) wrong.push(`${fileName}: ${told} instead of ${expectation.answer}`);
        }
      }
    }
    for (const folder of ["in", "working"])
      wrong.push(...this.#names(folder).map((name) => `${name} is left in ${folder}`));
    return wrong;
  }
}
