import { join } from "node:path";
import { buildSync } from "esbuild";
import { codeRoot, repositoryRoot } from "../../service/root.js";

const folder = join(codeRoot, "engine", "audit", "verifier");
const extension = codeRoot === repositoryRoot ? "ts" : "js";

function bundled(name: string, format: "esm" | "iife"): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(folder, `${name}.${extension}`)],
    bundle: true,
    write: false,
    format,
    platform: format === "esm" ? "node" : "browser",
    target: "es2022",
    logLevel: "error",
    // Comments of the bundler name files of this machine.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
  });
  return outputFiles[0]?.text ?? "";
}

/** The verifier as one file for Node, without dependencies. */
export const nodeVerifier = (): string => bundled("node-main", "esm");

/** The verifier as one page that works offline. */
export const pageVerifier = (): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>Is this audit package as it was made?</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; margin: 1rem 0 } input[type=text] { width: 100%; font-family: monospace }
#verdict { white-space: pre-wrap; padding: 1rem; border-left: 6px solid #888 }
#verdict.yes { border-color: #17803d; background: #eefaf1 } #verdict.no { border-color: #b91c1c; background: #fdf0f0 }
</style>
<h1>Is this audit package as it was made?</h1>
<p>Nothing leaves this page: the check needs no network.</p>
<label>Package or proof <input type="file" id="package"></label>
<label>Public key that you trust, if you were given one <input type="text" id="key" autocomplete="off"></label>
<div id="verdict" role="status">Choose a package or a proof.</div>
<script>
${bundled("browser-main", "iife").replaceAll("</script", "<\\/script")}
</script>
</html>
`;
