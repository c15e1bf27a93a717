import { readFileSync } from "node:fs";
import { checkFile } from "./check.js";

/** `node verify.mjs PACKAGE|PROOF [PUBLIC-KEY]`: prints the verdict; exit code 0 for yes, 1 for no, 64 for a wrong call. */
const [path, trusted] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write("node verify.mjs PACKAGE|PROOF [PUBLIC-KEY]\n");
  process.exitCode = 64;
} else {
  const { ok, lines } = await checkFile(readFileSync(path), trusted);
  process.stdout.write(`${lines.join("\n")}\n`);
  process.exitCode = ok ? 0 : 1;
}
