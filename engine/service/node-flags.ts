/**
 * Flags of Node for the engine's processes. The space for young objects has its full size from the start: what events are
 * made of is garbage a moment later, and while that space grows much of it is moved to the old one. The old one may grow to
 * three times what is alive before it is cleaned, not to four: that holds a catch-up under 400 MB. V8 may not guess which
 * objects will live: in half of the runs it guessed that rows and batches would, put them into the old space at once, and
 * whatever they pointed to was kept with them.
 */
export const nodeFlags: readonly string[] = [
  "--min-semi-space-size=16",
  "--heap-growing-percent=150",
  "--no-allocation-site-pretenuring",
];

/**
 * For a process that rebuilds. Rows are replaced again and again before they are written: in a space for young objects that
 * holds them all, the old ones are garbage before they are moved.
 */
export const rebuildFlags: readonly string[] = [
  "--min-semi-space-size=64",
  "--max-semi-space-size=64",
  "--no-allocation-site-pretenuring",
];

/**
 * Flags of a connector's process. What a partner has on the way lives until the log has it, and some of it is moved to the
 * old space meanwhile. Left alone, that space grows to four times what is alive before it is cleaned, hundreds of megabytes
 * on a large file; so it may only double.
 */
const connectorFlags: readonly string[] = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=16",
  "--heap-growing-percent=100",
];

/** Flags of Node for a process of a kind. */
export const nodeFlagsFor = (kind: string): readonly string[] => (kind === "connector" ? connectorFlags : nodeFlags);
