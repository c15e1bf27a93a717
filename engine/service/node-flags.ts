/**
 * Flags of Node for the engine's processes. The space for young objects has its full size from the start: what events are
 * made of is garbage a moment later, and while that space grows much of it is moved to the old one.
 */
export const nodeFlags: readonly string[] = ["--min-semi-space-size=16"];

/**
 * For a process that rebuilds. Rows are replaced again and again before they are written: in a space for young objects that
 * holds them all, the old ones are garbage before they are moved.
 */
export const rebuildFlags: readonly string[] = ["--min-semi-space-size=64", "--max-semi-space-size=64"];

/**
 * Flags of a connector's process. What a partner has on the way lives until the log has it, longer than the usual space for
 * young objects lasts at some thousand units a second: it would be moved to the old one, a third of the connector's time.
 */
const connectorFlags: readonly string[] = ["--min-semi-space-size=32", "--max-semi-space-size=32"];

/** Flags of Node for a process of a kind. */
export const nodeFlagsFor = (kind: string): readonly string[] => (kind === "connector" ? connectorFlags : nodeFlags);
