import { afterEach, expect, it, vi } from "vitest";
import { notaryKey, signHead } from "../checkpoint.js";
import { packedCheckpoint } from "../proof-files.js";
import { checkProof, proofText } from "./proof.js";

afterEach(() => {
  vi.unstubAllGlobals();
});

const key = notaryKey("ab".repeat(32));
const journal = "00000000-0000-4000-8000-000000000001";
const head = packedCheckpoint(
  signHead(key, { journal, topic: "t", partition: 0, size: 1, root: Buffer.alloc(32), signedAt: 0 }),
);
const proof = Buffer.from(
  proofText({
    format: "tributary-consistency-proof/1",
    installation: journal,
    publicKey: key.publicKey.toString("hex"),
    from: head,
    to: head,
    path: [],
  }),
);
const { subtle } = globalThis.crypto;
const withoutEd25519 = {
  digest: subtle.digest.bind(subtle),
  importKey: async () => {
    throw new DOMException("Unrecognized name.", "NotSupportedError");
  },
};

it.each([
  ["Web Crypto is not there", undefined, /no Web Crypto/],
  ["a page came over plain HTTP", {}, /no Web Crypto/],
  ["Web Crypto knows no Ed25519", { subtle: withoutEd25519 }, /no Ed25519/],
])("says neither yes nor no where %s", async (_, crypto, why) => {
  expect(await checkProof(proof)).toMatchObject({ ok: true });
  vi.stubGlobal("crypto", crypto);
  const verdict = await checkProof(proof);
  expect(verdict).toMatchObject({ ok: false, unable: true });
  expect(verdict.lines).toEqual([expect.stringMatching(/^NOT CHECKED: /)]);
  expect(verdict.lines[0]).toMatch(why);
});
