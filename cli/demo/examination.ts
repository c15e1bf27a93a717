import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { examinedClaim } from "./examined-claim.js";

/** What a command came to. */
interface Called {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExaminationOptions {
  /** Runs `tributary …`. */
  readonly call: (...parameters: string[]) => Promise<Called>;
  /** Where messages, package and verifier are written. */
  readonly folder: string;
  readonly print: (line?: string) => void;
  /** Number of the run: every run has a claim of its own. */
  readonly run: number;
  /** By how much the clocks may differ, in milliseconds: an as-of is of a moment older than that. */
  readonly skewMilliseconds?: number;
}

/** What the examiner found. */
export interface Finding {
  readonly claim: string;
  /** The moment asked about, ISO 8601. */
  readonly day: string;
  readonly known: { readonly status: string; readonly paid_amount: number };
  readonly now: { readonly status: string; readonly paid_amount: number };
  /** The verifier's words on the package, and on the same with one byte changed. */
  readonly verdicts: readonly [string, string];
}

/**
 * An examiner asks why a claim was paid on day D although it was later reversed. Plays the messages over X12, then answers
 * with the commands that an auditor has, each printed with what it says.
 * @throws Error when a command fails.
 */
export async function examine(options: ExaminationOptions): Promise<Finding> {
  const { call, folder, print, run, skewMilliseconds = 2_500 } = options;
  const told = async (what: string, ...parameters: string[]): Promise<string> => {
    print();
    print(`# ${what}`);
    print(`$ tributary ${parameters.map((one) => (/\s/.test(one) ? `'${one}'` : one)).join(" ")}`);
    const { exitCode, stdout, stderr } = await call(...parameters);
    for (const line of stdout.trimEnd().split("\n")) print(line);
    if (exitCode !== 0) throw new Error(`tributary ${parameters.join(" ")}: exit code ${exitCode}\n${stderr}`);
    return stdout;
  };
  mkdirSync(folder, { recursive: true });
  const messages = examinedClaim(run);
  const send = async (what: string, name: string, content: string) => {
    const file = join(folder, name);
    writeFileSync(file, content);
    await told(what, "send", file, "--to", "x12");
    const { exitCode, stderr } = await call("projections", "await", "--timeout", "120");
    if (exitCode !== 0) throw new Error(stderr);
  };
  const stateNow = async () => {
    const sql = `select claim_id, status, paid_amount from claims where payer_id = '${messages.payer}'`;
    const { stdout } = await call("projections", "query", sql, "--json");
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Finding["now"] & { readonly claim_id: string };
  };

  await send("The clinic submits a claim.", "submitted.837", messages.submitted);
  await send("The insurer pays it.", "paid.835", messages.paid);
  const { claim_id: claim } = await stateNow();
  await wait(skewMilliseconds);
  const day = new Date().toISOString();
  await wait(skewMilliseconds);
  await send("Ten days later it takes the payment back.", "reversed.835", messages.reversed);
  await wait(skewMilliseconds);
  const now = await stateNow();
  print();
  print(`An examiner asks: why did you book this claim as paid at ${day}? It says "${now.status}" here.`);

  await told("What happened to the claim, from the bytes to the rows?", "audit", "trail", "claim", claim);
  const asOf = ["audit", "as-of", "claims", "--at", day, "--of", `claim/${claim}`, "--reason", "examination"];
  const rows = await told("What did we know at that moment?", ...asOf);
  const known = JSON.parse(/^claims {2}(\{.*\})$/m.exec(rows)?.[1] ?? "{}") as Finding["known"];
  const latest = new Date(Date.now() - skewMilliseconds).toISOString();
  const between = ["--from", day, "--to", latest, "--reason", "examination"];
  await told("What changed since, and by which message?", "audit", "diff", "claims", ...between);
  const file = join(folder, `claim-${run}.zip`);
  const given = ["--at", day, "--out", file, "--reason", "examination", "--recipient", "the examiner"];
  const packed = await told("All of it, to take away.", "audit", "package", "claim", claim, ...given);
  await told("And the verifier by itself, for who trusts no package.", "audit", "verifier", folder);

  const verifier = join(folder, "verify.mjs");
  const key = /by the key ([0-9a-f]{64})/.exec(packed)?.[1] ?? "";
  const changed = join(folder, `claim-${run}-changed.zip`);
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 3);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(changed, bytes);
  const verdicts: string[] = [];
  for (const [what, path] of [
    ["The examiner checks it, without us and without a network.", file],
    ["The same with one bit changed.", changed],
  ] as const) {
    print();
    print(`# ${what}`);
    print(`$ node verify.mjs ${path} ${key}`);
    const words = await spoken(verifier, path, key);
    for (const line of words.split("\n")) print(line);
    verdicts.push(words);
  }
  print();
  print(`Answer: at ${day} the claim was ${known.status}, ${known.paid_amount} paid, and nobody knew of a reversal.`);
  return { claim, day, known, now, verdicts: [verdicts[0] ?? "", verdicts[1] ?? ""] };
}

/** What the verifier says; a NO is an answer, too. */
const spoken = (verifier: string, path: string, key: string): Promise<string> =>
  new Promise((resolve) => {
    execFile(process.execPath, [verifier, path, key], (_error, stdout, stderr) => resolve((stdout + stderr).trim()));
  });
