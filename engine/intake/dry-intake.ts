import { randomBytes, randomUUID } from "node:crypto";
import { standaloneCodec } from "../log/codec.js";
import { checkUnit } from "./check-unit.js";
import type { Intake, ReceivedUnit } from "./connector.js";
import { contentHash, keyedHash } from "./keyed-hash.js";
import { surrogates } from "./surrogate.js";

/** What an intake without a journal tells beside its verdicts. */
export interface DryIntake extends Intake {
  /** Warnings (flags) on accepted units so far, and how often. */
  readonly flags: ReadonlyMap<string, number>;
  /** Events that would have been made so far, by type. */
  readonly events: ReadonlyMap<string, number>;
  /** Whom units were taken to be from, and how many. */
  readonly partners: ReadonlyMap<string, number>;
}

/**
 * An intake that judges as the real one does and keeps nothing: no log, no vault, no database. Its surrogate ids are made
 * under a secret that nobody has, and its ledger is empty, so nothing is a resend of what the installation knows.
 */
export function dryIntake(
  connector: { readonly name: string; readonly version: string },
  unitLimit: number,
): DryIntake {
  const secret = randomBytes(32).toString("hex");
  const hash = keyedHash(secret);
  const context = {
    codec: standaloneCodec(),
    connector,
    hash,
    contentHash: contentHash(secret),
    unitLimit,
    eventLimit: 900_000,
  };
  const flags = new Map<string, number>();
  const events = new Map<string, number>();
  const partners = new Map<string, number>();
  const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const judge = (unit: ReceivedUnit) => {
    const verdict = checkUnit(unit, context);
    if (unit.entry === "UNIT") count(partners, unit.partner);
    if (verdict.accepted) {
      for (const flag of unit.flags ?? []) count(flags, flag);
      for (const { type } of unit.events) count(events, type);
    }
    return { verdict, receiptId: randomUUID() };
  };
  return {
    flags,
    events,
    partners,
    surrogate: surrogates(hash),
    newReceiptId: () => randomUUID(),
    check: (unit) => checkUnit(unit, context),
    submit: async (units) => units.map(judge),
    known: async (identities) => identities.map(() => false),
  };
}
