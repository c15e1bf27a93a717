import fc from "fast-check";

/** One way in which a file gets damaged on its way, or was never right. Places are shares of its length. */
type Mutation =
  | { readonly kind: "cut" | "drop" | "repeat" | "swap"; readonly at: number; readonly length: number }
  | { readonly kind: "insert" | "overwrite"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "element"; readonly at: number; readonly value: string };

const place = fc.double({ min: 0, max: 1, noNaN: true });
/** Values that have broken readers before. */
const values = [
  "",
  " ",
  "0",
  "-1",
  "99999999999999999999.99",
  "1E3",
  "20261301",
  "00000000",
  "NaN",
  "~",
  "ISA",
  "\u0000",
  "\u00e9",
];

/** Damage to a file: whole segments, single elements, raw bytes. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom("cut", "drop", "repeat", "swap"),
      at: place,
      length: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({
      kind: fc.constantFrom("insert", "overwrite"),
      at: place,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    }),
    fc.record({ kind: fc.constant("element" as const), at: place, value: fc.constantFrom(...values) }),
  ),
  { minLength: 1, maxLength: 4 },
) as fc.Arbitrary<readonly Mutation[]>;

/** @param bytes begins with an ISA of fixed length, as the samples do. */
export function mutate(bytes: Buffer, all: readonly Mutation[]): Buffer {
  return all.reduce(mutateOnce, bytes);
}

function mutateOnce(bytes: Buffer, mutation: Mutation): Buffer {
  const at = Math.floor(mutation.at * bytes.length);
  switch (mutation.kind) {
    case "insert":
      return Buffer.concat([bytes.subarray(0, at), mutation.bytes, bytes.subarray(at)]);
    case "overwrite":
      return Buffer.concat([bytes.subarray(0, at), mutation.bytes, bytes.subarray(at + mutation.bytes.length)]);
    case "cut":
      return bytes.subarray(0, at);
    default:
      return mutateSegments(bytes, mutation);
  }
}

function mutateSegments(bytes: Buffer, mutation: Exclude<Mutation, { readonly bytes: Uint8Array }>): Buffer {
  const terminator = String.fromCharCode(bytes[105] ?? 126);
  const segments = bytes.toString("latin1").split(terminator);
  const at = Math.floor(mutation.at * segments.length);
  if (mutation.kind === "element") {
    const separator = String.fromCharCode(bytes[3] ?? 42);
    const elements = (segments[at] ?? "").split(separator);
    elements[Math.min(elements.length - 1, 1 + (at % 9))] = mutation.value;
    segments[at] = elements.join(separator);
  } else {
    const taken = segments.splice(at, mutation.length);
    if (mutation.kind === "repeat") segments.splice(at, 0, ...taken, ...taken);
    if (mutation.kind === "swap") segments.splice(Math.min(segments.length, at + 1), 0, ...taken);
  }
  return Buffer.from(segments.join(terminator), "latin1");
}
