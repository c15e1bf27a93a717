import { createHmac } from "node:crypto";
import type { Intake, ReceivedUnit, SubmittedUnit, UnitIdentity, Verdict } from "../../../engine/intake/connector.js";
import { TributaryError } from "../../../engine/service/errors.js";

const keyOf = (identity: UnitIdentity): string =>
  JSON.stringify(
    identity.parts.map((part) => (typeof part === "string" ? part : Buffer.from(part).toString("latin1"))),
  );

/** An intake that keeps what it is given, and a ledger that knows at once what was accepted. */
export class RecordingIntake implements Intake {
  readonly units: ReceivedUnit[] = [];
  /** When set, `submit` fails as it does without a log, after so many more calls. */
  failAfter: number | null = null;
  /** What `check` says. */
  refuse: (unit: ReceivedUnit) => Verdict = () => ({ accepted: true });
  readonly #ledger = new Set<string>();
  #receipts = 0;

  readonly surrogate: Intake["surrogate"] = (kind, authority, type, value) =>
    createHmac("sha256", "test")
      .update(JSON.stringify([kind, authority, type, value]))
      .digest("hex")
      .slice(0, 32);

  newReceiptId(): string {
    this.#receipts += 1;
    return `receipt-${this.#receipts}`;
  }

  check(unit: ReceivedUnit): Verdict {
    return this.refuse(unit);
  }

  async submit(units: readonly ReceivedUnit[]): Promise<readonly SubmittedUnit[]> {
    if (this.failAfter !== null) {
      if (this.failAfter === 0)
        throw new TributaryError("TRIB_INTAKE_UNAVAILABLE", undefined, { reason: "nothing was committed" });
      this.failAfter -= 1;
    }
    return units.map((unit) => {
      this.units.push(unit);
      const resend = unit.identity !== undefined && this.#ledger.has(keyOf(unit.identity));
      if (unit.identity && unit.verdict.accepted) this.#ledger.add(keyOf(unit.identity));
      if (unit.verdict.accepted && !resend && unit.entry === "UNIT") this.published.push(unit);
      return { verdict: unit.verdict, receiptId: this.newReceiptId() };
    });
  }

  /** Accepted units that were no resends: those whose events the publisher would send. */
  readonly published: ReceivedUnit[] = [];

  async known(identities: readonly UnitIdentity[]): Promise<readonly boolean[]> {
    return identities.map((identity) => this.#ledger.has(keyOf(identity)));
  }
}
