import { createHash } from "node:crypto";
import type { Intake, ReceivedUnit, SubmittedUnit, Surrogate, Verdict } from "../intake/connector.js";

/** An intake that keeps what it is given, for specs of connectors. */
export interface RecordingIntake extends Intake {
  /** What was journalled, in order. */
  readonly units: ReceivedUnit[];
  /** Called before units are kept; what it throws is what the journal failed with. */
  beforeSubmit: (units: readonly ReceivedUnit[]) => Promise<void>;
  /** What the journal refuses every accepted unit with, as one over its limit. */
  refusal: Verdict | undefined;
}

/** Surrogate ids that need no secret: a plain hash in the form of a UUID. */
export const testSurrogate: Surrogate = (kind, authority, type, value) => {
  const hex = createHash("sha256")
    .update(JSON.stringify([kind, authority, type, value]))
    .digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
};

/** The ledger knows nothing: every unit is new. */
export function recordingIntake(): RecordingIntake {
  let receipts = 0;
  const verdictOn = ({ entry, verdict }: ReceivedUnit): Verdict =>
    verdict.accepted && entry === "UNIT" ? (intake.refusal ?? verdict) : verdict;
  const intake: RecordingIntake = {
    units: [],
    beforeSubmit: async () => {},
    refusal: undefined,
    surrogate: testSurrogate,
    newReceiptId: () => `receipt-${++receipts}`,
    check: (unit) => verdictOn(unit),
    known: async (identities) => identities.map(() => false),
    async submit(units): Promise<readonly SubmittedUnit[]> {
      await intake.beforeSubmit(units);
      intake.units.push(...units);
      return units.map((unit) => ({ verdict: verdictOn(unit), receiptId: intake.newReceiptId() }));
    },
  };
  return intake;
}
