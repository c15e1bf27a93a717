import { checkFile } from "./check.js";

/** As much of a browser as the page needs. */
interface Field {
  value: string;
  textContent: string | null;
  className: string;
  readonly files?: ArrayLike<{ arrayBuffer(): Promise<ArrayBuffer> }>;
  addEventListener(name: string, listener: () => void): void;
}
const field = (id: string): Field =>
  (globalThis as unknown as { document: { getElementById(id: string): Field } }).document.getElementById(id);

async function check(): Promise<void> {
  const file = field("package").files?.[0];
  const verdict = field("verdict");
  if (!file) return;
  verdict.className = "";
  verdict.textContent = "Checking …";
  const trusted = field("key").value.trim();
  const { ok, unable, lines } = await checkFile(new Uint8Array(await file.arrayBuffer()), trusted || undefined);
  verdict.className = ok ? "yes" : unable ? "" : "no";
  verdict.textContent = lines.join("\n");
}

for (const id of ["package", "key"]) field(id).addEventListener("change", () => void check());
