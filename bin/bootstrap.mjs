#!/usr/bin/env node
// What `npm run demo`, `npm test` and `npm run test:chaos` call on a fresh clone: installs the packages of the lock file
// when they are not there, builds what is stale, and hands over. Depends on nothing but Node, for nothing else is there yet.
import { fileURLToPath } from "node:url";
import { fail, install, isNewEnough, oldestNode } from "./packages.mjs";

const entries = { demo: "cli/main.js", test: "test/run.js", chaos: "test/chaos.js" };
const [command, ...rest] = process.argv.slice(2);

if (!isNewEnough(process.versions.node)) {
  fail(
    `Tributary needs Node ${oldestNode.join(".")} or newer; this is ${process.versions.node}. See https://nodejs.org`,
  );
}
const entry = Object.hasOwn(entries, command ?? "") ? entries[command] : undefined;
if (!entry) fail(`Usage: node bin/bootstrap.mjs ${Object.keys(entries).join("|")} [options]`);
install();
const { build } = await import("./build.mjs");
await build();
const target = new URL(`../dist/${entry}`, import.meta.url);
process.argv.splice(
  1,
  process.argv.length - 1,
  fileURLToPath(target),
  ...(command === "demo" ? ["demo", ...rest] : rest),
);
await import(target.href);
