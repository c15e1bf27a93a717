import { readFileSync } from "node:fs";
import { checkFile } from "./check.js";

/** The content of a file; undefined when there is none to be read, which has been said then. */
function contentOf(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    process.stderr.write(`${path} can't be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}\n`);
    return undefined;
  }
}

/**
 * `node verify.mjs PACKAGE|PROOF|MANIFEST [PUBLIC-KEY]`: prints the verdict.
 * @returns the exit code: 0 for yes, 1 for no, 64 for a wrong call, 66 when the file can't be read, 69 when this Node can't check it.
 */
async function verify(path: string | undefined, trusted: string | undefined): Promise<number> {
  if (path === undefined) {
    process.stderr.write("node verify.mjs PACKAGE|PROOF|MANIFEST [PUBLIC-KEY]\n");
    return 64;
  }
  if (trusted !== undefined && !/^[0-9a-f]{64}$/i.test(trusted.trim())) {
    process.stderr.write(
      "node verify.mjs PACKAGE|PROOF|MANIFEST [PUBLIC-KEY]: a public key is 64 hexadecimal digits\n",
    );
    return 64;
  }
  const content = contentOf(path);
  if (!content) return 66;
  const { ok, unable, lines } = await checkFile(content, trusted);
  process.stdout.write(`${lines.join("\n")}\n`);
  if (unable) return 69;
  return ok ? 0 : 1;
}

process.exitCode = await verify(process.argv[2], process.argv[3]);
