import { createHash } from "node:crypto";
import type { Intake, ReceivedUnit, SubmittedUnit } from "../../engine/intake/connector.js";

/** An intake that keeps what it is given, for specs. */
export interface RecordingIntake extends Intake {
  readonly units: ReceivedUnit[];
  /** Called before units are kept; what it throws is what the journal failed with. */
  beforeSubmit: (units: readonly ReceivedUnit[]) => Promise<void>;
}

/** Surrogate ids that need no secret: a plain hash in the form of a UUID. */
export function testSurrogate(kind: string, authority: string, type: string, value: string): string {
  const hex = createHash("sha256").update([kind, authority, type, value].join("\t")).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

export function recordingIntake(): RecordingIntake {
  let receipts = 0;
  const intake: RecordingIntake = {
    units: [],
    beforeSubmit: async () => {},
    surrogate: testSurrogate,
    newReceiptId: () => `receipt-${++receipts}`,
    check: (unit) => unit.verdict,
    known: async (identities) => identities.map(() => false),
    async submit(units): Promise<readonly SubmittedUnit[]> {
      await intake.beforeSubmit(units);
      intake.units.push(...units);
      return units.map(({ verdict }) => ({ verdict, receiptId: intake.newReceiptId() }));
    },
  };
  return intake;
}
