import { seal, sealOverhead } from "../vault/sealing.js";
import type { ReceivedUnit, Verdict } from "./connector.js";
import { finishEvents } from "./finish-events.js";
import type { RecordContext } from "./journal-record.js";
import { unitCodes } from "./unit-codes.js";

/** A key of no one: a sealed content has the same length under any key. */
const noKey = Buffer.alloc(32);
const eventHead = 21;
/** What a journal record has beside bytes and events: names, hashes, nested seals. Generous. */
const recordOverhead = 4_096;

/** What a unit's record depends on. */
type CheckContext = Pick<RecordContext, "codec" | "connector" | "unitLimit" | "eventLimit">;

/** Whether the journal would refuse a unit: by its size, or for an event that doesn't fit its schema. Pure, nothing is kept. */
export function checkUnit(unit: ReceivedUnit, context: CheckContext): Verdict {
  if (!unit.verdict.accepted) return unit.verdict;
  const finished = finishEvents(unit, {
    codec: context.codec,
    connector: context.connector.name,
    receiptId: "00000000-0000-0000-0000-000000000000",
    seal: (_event, _subject, plaintext) =>
      Buffer.concat([Buffer.alloc(eventHead), seal(noKey, Buffer.alloc(0), plaintext)]),
    eventLimit: context.eventLimit,
  });
  if (!("events" in finished)) return finished.verdict;
  const events = finished.events.reduce((sum, { value }) => sum + value.length + 256, 0);
  const size = unit.bytes.length + events + recordOverhead + unit.sealFor.length * (sealOverhead + 64);
  return size > context.unitLimit ? { accepted: false, code: unitCodes.tooLarge } : finished.verdict;
}
