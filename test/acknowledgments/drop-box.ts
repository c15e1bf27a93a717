import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../demo/random.js";
import { type Connector, type Delivery, fhirLines, makeDelivery } from "./deliveries.js";

/** Connectors that take dropped files. */
export const fileConnectors = ["hl7v2", "x12", "fhir", "csv"] as const satisfies readonly Connector[];
type FileConnector = (typeof fileConnectors)[number];

/** Numbers of dropped deliveries, beyond those of what is sent otherwise. */
const firstNumber = 500_000_000;

/** A partner's folder while files are dropped into it, one after the other. */
export class DropBox {
  readonly connector: FileConnector;
  readonly #root: string;
  readonly #random: Random;
  readonly #dropped = new Map<string, Delivery>();

  constructor(home: string, connector: FileConnector, random: Random) {
    this.connector = connector;
    this.#root = join(home, connector, "generic");
    this.#random = random;
  }

  async work(over: () => boolean, rest: number): Promise<void> {
    mkdirSync(this.#path("in"), { recursive: true });
    while (!over()) {
      const number = firstNumber + this.#dropped.size;
      const sketch = { number, version: "A" as const, broken: this.#random.chance(150) };
      const delivery = (this.connector === "fhir" ? fhirLines : makeDelivery[this.connector])(sketch);
      const name = `file-${number}`;
      this.#dropped.set(name, delivery);
      writeFileSync(this.#path("in", `${name}.part`), delivery.bytes);
      renameSync(this.#path("in", `${name}.part`), this.#path("in", name));
      await pause(this.#random.below(rest) + 1);
    }
  }

  get deliveries(): readonly Delivery[] {
    return [...this.#dropped.values()];
  }

  /** Files that were dropped and have not been moved. */
  get inHand(): number {
    return ["in", "working"].reduce(
      (sum, folder) => sum + this.#names(folder).filter((name) => /^file-\d+$/.test(name)).length,
      0,
    );
  }

  /** Files that are not where they belong, without their answer, or with other bytes than were dropped. */
  wrong(): string[] {
    return [...this.#dropped].flatMap(([name, { bytes, units }]) => {
      const folder = units.every(({ accepted }) => accepted) ? "done" : "failed";
      const path = this.#path(folder, name);
      if (!existsSync(path)) return [`${this.connector} ${name} is not in ${folder}`];
      if (!readFileSync(path).equals(bytes)) return [`${this.connector} ${name} has other bytes`];
      const answered = [this.#path("out"), this.#path(folder)].every((at) =>
        readdirSync(at).some((found) => found.startsWith(`${name}.`)),
      );
      return answered ? [] : [`${this.connector} ${name} has no answer`];
    });
  }

  #path(...parts: string[]): string {
    return join(this.#root, ...parts);
  }

  #names(folder: string): string[] {
    return existsSync(this.#path(folder)) ? readdirSync(this.#path(folder)) : [];
  }
}
