import type { SendLine, ValidateRequest } from "../../engine/intake/connector.js";
import { readOutbox } from "./outbox.js";
import type { Profile } from "./profile.js";
import { readAcknowledgment } from "./receipt.js";
import { readMessage } from "./unit.js";

/**
 * The answer that each message of a file would get, without sending it: by the profile of the partner named, or by the
 * header where that is `generic`.
 */
export function* validateFile(request: ValidateRequest<Profile>): Generator<SendLine> {
  const { file, partner, profiles, surrogate, check } = request;
  const { messages, readable } = readOutbox(request.bytes);
  if (messages.length === 0) {
    yield { file, index: null, controlId: null, accepted: false, code: "NO_UNIT", location: null, answer: null, ms: 0 };
    return;
  }
  const bound = partner === "generic" ? undefined : partner;
  for (const [index, message] of messages.entries()) {
    const read = readMessage(message, { profiles, surrogate, receivedAt: 0, bound });
    const verdict = check(read.unit);
    const told = readAcknowledgment(read.answer(verdict).at(-1), message);
    yield { file, index: readable ? index : null, ...told, accepted: verdict.accepted, ms: 0 };
  }
}
