import { readOutbox } from "./outbox.js";
import { isBound } from "./partner.js";
import type { Profile } from "./profile.js";
import { segmentMessage } from "./split.js";
import { readMessage } from "./unit.js";

/** The name that the journal has for a sender whom no profile names. */
const nobody = "unknown";

/**
 * Whose the messages of a file are by their headers (MSH-3, MSH-4), when a partner sends it that is known by nothing else.
 * @returns each once; nobody where the partner has a port, a certificate or an address of its own.
 */
export function takenAs(file: Buffer, partner: string, profiles: ReadonlyMap<string, Profile>): readonly string[] {
  const own = profiles.get(partner);
  if (own === undefined || isBound(own)) return [];
  // Files have thousands of messages and few senders.
  const bySender = new Map<string, Buffer>();
  for (const message of readOutbox(file).messages) {
    const header = segmentMessage(message.toString("latin1")).segments[0] ?? "";
    bySender.set(
      header
        .split(header[3] ?? "|")
        .slice(2, 4)
        .join("|"),
      message,
    );
  }
  const context = { profiles, surrogate: () => "", receivedAt: 0 };
  return [...new Set([...bySender.values()].map((message) => readMessage(message, context).unit.partner))].filter(
    (name) => name !== nobody,
  );
}
