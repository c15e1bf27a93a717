import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AnyProjection } from "../projector/definition.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { repositoryRoot } from "../service/root.js";
import { projectionLaws } from "./projection-laws.js";
import { impuritiesOf } from "./purity.js";

const inCheckout = (...path: string[]) => join(repositoryRoot, ...path);

/** Specs of one folder in `projections/`, whatever it is about. */
export function exerciseProjection(folder: string, projection: AnyProjection): void {
  describe(`projections/${folder}`, () => {
    it("has the name of its folder", () => expect(projection.name).toBe(folder));
    it("is pure: no clock, chance, input, output, locale or time zone", () => {
      expect(impuritiesOf([inCheckout("projections", folder, "projection.ts")])).toEqual([]);
    });
    for (const [law, holds] of Object.entries(projectionLaws)) it(law, () => holds(projection));
  });
}

/** Specs of one folder in `consumers/`. Its projections are exercised apart. */
export function exerciseConsumer(folder: string, consumer: ConsumerDefinition): void {
  describe(`consumers/${folder}`, () => {
    it("has the name of its folder, and a README", () => {
      expect(consumer.name).toBe(folder);
      expect(existsSync(inCheckout("consumers", folder, "README.md"))).toBe(true);
    });
    it("projects, or notarizes topics", () => {
      expect(consumer.project.length > 0).toBe(consumer.notarize === undefined);
      expect(consumer.notarize?.topics.length).not.toBe(0);
    });
    it("projects folders of projections/, each once", () => {
      const names = consumer.project.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(existsSync(inCheckout("projections", name, "projection.ts")), name).toBe(true);
    });
  });
}
