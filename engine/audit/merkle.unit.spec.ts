import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  consistencyRanges,
  emptyRoot,
  Frontier,
  inclusionRanges,
  leafHash,
  pairHash,
  provesConsistency,
  provesInclusion,
  subtreeHashes,
} from "./merkle.js";

/** Entries, roots and paths that the reference implementation of Certificate Transparency is tested with. */
const entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const inclusions: readonly [index: number, size: number, path: readonly string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    5,
    8,
    [
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]],
  [
    1,
    5,
    [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
  ],
];
const consistencies: readonly [first: number, second: number, path: readonly string[]][] = [
  [1, 1, []],
  [
    1,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    6,
    8,
    [
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [
    2,
    5,
    [
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
  ],
];

const leavesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => leafHash(Buffer.from(entries[index] ?? `entry ${index}`, "hex")));
const rootOf = (leaves: readonly Buffer[]): Buffer => {
  const frontier = new Frontier();
  for (const leaf of leaves) frontier.append(leaf);
  return frontier.root();
};
const hex = (hashes: readonly Buffer[]) => hashes.map((hash) => hash.toString("hex"));
const tree = (leaves: readonly Buffer[]) => ({ size: leaves.length, root: rootOf(leaves) });
/** As RFC 6962 writes it down, and nothing of ours. */
const definition = (leaves: readonly Buffer[]): Buffer => {
  if (leaves.length < 2) return leaves[0] ?? emptyRoot;
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return pairHash(definition(leaves.slice(0, half)), definition(leaves.slice(half)));
};
const some = (count: number) => Array.from({ length: count }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));

describe("the Merkle tree", () => {
  it("has the roots of the reference implementation", () => {
    expect(emptyRoot.toString("hex")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(roots.map((_, index) => rootOf(leavesOf(index + 1)).toString("hex"))).toEqual(roots);
  });

  it.each(inclusions)("proves leaf %i of %i as the reference implementation does", async (index, size, path) => {
    const leaves = leavesOf(size);
    const found = await subtreeHashes(inclusionRanges(index, size), [leaves]);
    expect(hex(found)).toEqual(path);
    expect(provesInclusion(leaves[index] as Buffer, index, tree(leaves), found)).toBe(true);
  });

  it.each(consistencies)(
    "proves that %i is the beginning of %i as the reference implementation does",
    async (first, second, path) => {
      const leaves = leavesOf(second);
      const found = await subtreeHashes(consistencyRanges(first, second), [leaves]);
      expect(hex(found)).toEqual(path);
      expect(provesConsistency(tree(leaves.slice(0, first)), tree(leaves), found)).toBe(true);
    },
  );

  it("grows to what the standard defines, also when it is put away and taken up again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }), (size, pause) => {
        const leaves = some(size);
        const cut = Math.min(size, pause);
        const before = new Frontier();
        for (const leaf of leaves.slice(0, cut)) before.append(leaf);
        const after = new Frontier(cut, before.bytes());
        for (const leaf of leaves.slice(cut)) after.append(leaf);
        expect(after.root()).toEqual(definition(leaves));
      }),
      { numRuns: 100 },
    );
  });

  it("proves every leaf and every beginning of every small tree, and nothing else", async () => {
    for (let size = 1; size <= 20; size += 1) {
      const leaves = some(size);
      const whole = tree(leaves);
      for (let index = 0; index < size; index += 1) {
        const path = await subtreeHashes(inclusionRanges(index, size), [leaves]);
        const leaf = leaves[index] as Buffer;
        expect(provesInclusion(leaf, index, whole, path)).toBe(true);
        expect(provesInclusion(leafHash(Buffer.from("other")), index, whole, path)).toBe(false);
        // A leaf without a sibling on its way up may prove itself at one place only.
        expect(provesInclusion(leaf, index + 1, whole, path)).toBe(false);
        expect(provesInclusion(leaf, index, whole, [...path, leaf])).toBe(false);
        const changed = path.map((hash) => Buffer.from(hash));
        if (changed[0]) {
          changed[0][7] = (changed[0][7] as number) ^ 1;
          expect(provesInclusion(leaf, index, whole, changed)).toBe(false);
        }
      }
      for (let first = 0; first <= size; first += 1) {
        const path = await subtreeHashes(consistencyRanges(first, size), [leaves]);
        const old = tree(leaves.slice(0, first));
        expect(provesConsistency(old, whole, path), `${first} of ${size}`).toBe(true);
        if (first === 0) continue;
        const rewritten = tree([...leaves.slice(0, first - 1), leafHash(Buffer.from("other"))]);
        expect(provesConsistency(rewritten, whole, path)).toBe(false);
        expect(provesConsistency(whole, old, path)).toBe(first === size);
      }
    }
  });
});
