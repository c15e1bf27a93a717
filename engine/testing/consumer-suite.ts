import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { validateDelivery } from "../delivery/definition.js";
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
    it("projects, notarizes topics, or delivers: one of them", () => {
      const { project, notarize, deliver } = consumer;
      expect([project.length > 0, notarize !== undefined, deliver !== undefined].filter(Boolean)).toHaveLength(1);
      expect(notarize?.topics.length).not.toBe(0);
    });
    if (consumer.deliver) {
      const { deliver } = consumer;
      it("delivers by a definition that holds, and a map of its own file that is pure", () => {
        validateDelivery(consumer.name, deliver);
        expect(impuritiesOf([inCheckout("consumers", folder, "map.ts")])).toEqual([]);
      });
    }
    it("projects folders of projections/, each once", () => {
      const names = consumer.project.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(existsSync(inCheckout("projections", name, "projection.ts")), name).toBe(true);
    });
  });
}
