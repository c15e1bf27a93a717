import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { AnyProjection } from "../engine/projector/definition.js";
import { consumerNames, loadConsumer } from "../engine/service/discover.js";
import { repositoryRoot } from "../engine/service/root.js";
import { exerciseConsumer, exerciseProjection } from "../engine/testing/consumer-suite.js";

// Every folder there is: one that is added is exercised without a change here.
const consumers = await Promise.all(consumerNames().map(loadConsumer));
const projectionNames = readdirSync(join(repositoryRoot, "projections"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(projectionFile(entry.name)))
  .map(({ name }) => name);

function projectionFile(name: string): string {
  return join(repositoryRoot, "projections", name, "projection.ts");
}

for (const [index, name] of consumerNames().entries()) exerciseConsumer(name, consumers[index]!);

for (const name of projectionNames) {
  const module = (await import(pathToFileURL(projectionFile(name)).href)) as { readonly default: AnyProjection };
  exerciseProjection(name, module.default);
}

describe("all consumers together", () => {
  it("keep each projection once: a table has one owner", () => {
    const kept = consumers.flatMap(({ project }) => project.map(({ name }) => name));
    expect([...kept].sort()).toEqual([...new Set(kept)].sort());
  });

  it("leave no projection without an owner", () => {
    const kept = consumers.flatMap(({ project }) => project.map(({ name }) => name));
    expect(projectionNames.filter((name) => !kept.includes(name))).toEqual([]);
  });

  it("give no table a name that another has", () => {
    const tables = consumers.flatMap(({ project }) =>
      project.flatMap(({ tables, derived = {}, views = {} }) =>
        [...Object.keys(views), ...Object.keys({ ...tables, ...derived })].filter(
          (name, index, all) => all.indexOf(name) === index,
        ),
      ),
    );
    expect([...tables].sort()).toEqual([...new Set(tables)].sort());
  });
});
