import { canonicalJson } from "./avro.js";
import { base64, broken, fingerprintOf, hex, isSigned, joined, linesOf, sha256, text, unhex, utf8 } from "./bytes.js";
import type { Signer } from "./checkpoint.js";
import { no, type Verdict, yes } from "./verdict.js";

const stateFormat = "tributary as-of 1";

/** As much of an as-of's manifest as a verifier looks at. */
interface SignedState {
  readonly format: string;
  readonly projection: string;
  readonly version: number;
  readonly at: string;
  readonly effectiveAt: string | null;
  readonly journal: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly tables: Readonly<
    Record<string, { readonly rows: number; readonly sha256: string; readonly restrictedSha256: string | null }>
  >;
}

/** That rows stand in a view whose hash was signed: `as-of/VIEW.proof.json`. */
export interface PackedRowProof {
  /** All groups of the view's rows, by the first byte of the rows' hashes, ascending; hash in hexadecimal. */
  readonly groups: readonly { readonly first: number; readonly rows: number; readonly sha256: string }[];
  /** By first byte, the hashes of all rows of a group, sorted and joined, base64: of the groups of the rows told. */
  readonly members: Readonly<Record<string, string>>;
}

const rowHashBytes = 32;

/** Whether a hash is one of those joined. */
function hasMember(members: Uint8Array, hash: Uint8Array): boolean {
  for (let at = 0; at < members.length; at += rowHashBytes) {
    if (hash.every((byte, index) => byte === members[at + index])) return true;
  }
  return false;
}

async function checkView(view: string, files: ReadonlyMap<string, Uint8Array>, state: SignedState): Promise<number> {
  const { at, tables } = state;
  const table = tables[view] as SignedState["tables"][string];
  const file = files.get(`as-of/${view}.proof.json`) ?? broken(`there is no as-of/${view}.proof.json`);
  const { groups, members } = JSON.parse(text.decode(file)) as PackedRowProof;
  const whole = hex(await sha256(joined(groups.map(({ sha256: sum }) => unhex(sum)))));
  const count = groups.reduce((sum, { rows }) => sum + rows, 0);
  if (count !== table.rows || (whole !== table.sha256 && whole !== table.restrictedSha256)) {
    broken(`as-of/${view}.proof.json does not lead to the hash of ${view} that was signed`);
  }
  const rows = linesOf(files.get(`as-of/${view}.jsonl`) as Uint8Array);
  for (const [index, row] of rows.entries()) {
    const hash = await sha256(utf8.encode(row));
    const joinedHashes = base64(members[String(hash[0])] ?? "");
    const group = groups.find(({ first }) => first === hash[0]);
    const isGroup = hex(await sha256(joinedHashes)) === group?.sha256;
    if (!isGroup || !hasMember(joinedHashes, hash)) {
      broken(`row ${index + 1} of ${view} is not what was known at ${at}, as it was signed`);
    }
  }
  return rows.length;
}

const momentOf = ({ at, effectiveAt }: SignedState): string =>
  effectiveAt === null ? at : `${at}, of that what had happened by ${effectiveAt}`;

/** @throws Error when the format is another, or the signature is not by the key that is named. */
async function checkSigned({ signature, ...signed }: SignedState, name: string): Promise<void> {
  if (signed.format !== stateFormat) broken(`${name} is of another format`);
  if (!(await isSigned(unhex(signed.publicKey), utf8.encode(canonicalJson(signed)), base64(signature)))) {
    broken(`the signature over ${name} is wrong`);
  }
}

/** The manifest of an as-of: by itself, or as `audit as-of --json` prints it. Undefined for what is something else. */
function stateIn(bytes: Uint8Array): SignedState | undefined {
  try {
    const given = JSON.parse(text.decode(bytes)) as SignedState & { readonly manifest?: SignedState };
    const state = given.manifest ?? given;
    return state.format === stateFormat ? state : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Says whether the signed state of a read model is as it was signed, with nothing but its manifest.
 * @param trusted public key in hexadecimal, got from elsewhere; without it only the manifest's own is known.
 * @returns undefined for what is no such manifest.
 */
export async function checkState(bytes: Uint8Array, trusted?: string): Promise<Verdict | undefined> {
  const state = stateIn(bytes);
  if (!state) return undefined;
  try {
    const key = await fingerprintOf(state.publicKey);
    if (trusted !== undefined && trusted.trim().toLowerCase() !== state.publicKey) {
      broken(`it is signed by another key (fingerprint ${key}) than the one you trust`);
    }
    await checkSigned(state, "the manifest");
    const { projection, version, journal, tables } = state;
    return yes(
      [
        "YES: this state of a read model is as it was signed.",
        `It is what was known at ${momentOf(state)}: ${projection}, version ${version}, of the installation ${journal}.`,
        ...Object.entries(tables).map(([name, table]) => `${name}: ${table.rows} rows, SHA-256 ${table.sha256}.`),
      ],
      key,
      trusted,
    );
  } catch (error) {
    return no("this state of a read model is not as it was signed", error);
  }
}

/**
 * Compares the rows known at a moment with the signed state of their whole read model; a package may tell of several. One
 * without is right.
 * @returns sentences about it, none where there is no as-of.
 * @throws Error naming the row or the file that is wrong.
 */
export async function checkAsOf(
  files: ReadonlyMap<string, Uint8Array>,
  { installation, publicKey }: Signer,
): Promise<string[]> {
  const views = [...files.keys()].flatMap((name) => /^as-of\/(\w+)\.jsonl$/.exec(name)?.[1] ?? []);
  const states: SignedState[] = [];
  for (const [name, bytes] of files) {
    if (!/^as-of\/(\w+\.)?manifest\.json$/.test(name)) continue;
    const state = JSON.parse(text.decode(bytes)) as SignedState;
    if (state.publicKey !== publicKey || state.journal !== installation) {
      broken(`${name} is of another key or another installation than the package`);
    }
    await checkSigned(state, name);
    states.push(state);
  }
  const [first] = states;
  if (!first) return views.length === 0 ? [] : broken("there is no as-of/manifest.json");
  if (states.some((state) => momentOf(state) !== momentOf(first))) broken("its signed states are of different moments");
  let rows = 0;
  for (const view of views) {
    const state = states.find(({ tables }) => tables[view] !== undefined);
    rows += await checkView(view, files, state ?? broken(`no signed state of ${first.at} has a view ${view}`));
  }
  const then = momentOf(first);
  if (rows === 0) return [`It has no row of what was known at ${then}.`];
  const where = states.length === 1 ? "the read model whose state was signed" : "a read model whose state was signed";
  return [`Each of its ${rows} rows of what was known at ${then} stands in ${where}.`];
}
