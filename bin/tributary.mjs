#!/usr/bin/env node
// `npx tributary …`: builds what is stale, then hands over to the command line.
import { build } from "./build.mjs";

await build();
await import(new URL("../dist/cli/main.js", import.meta.url).href);
