import type { Codec } from "../log/codec.js";
import type { LogProducer, OutgoingRecord } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { Vault } from "../vault/vault.js";
import { checkUnit } from "./check-unit.js";
import type { Intake, SubmittedUnit, UnitIdentity } from "./connector.js";
import { GroupCommit, type Prepared } from "./group-commit.js";
import {
  identityHash,
  journalRecord,
  neededSubjects,
  type RecordContext,
  resourceHash,
  type WaitingUnit,
} from "./journal-record.js";
import { contentHash, keyedHash, uuidOf } from "./keyed-hash.js";
import { knownIdentities } from "./ledger.js";
import { newReceiptId } from "./receipt-id.js";
import { surrogates } from "./surrogate.js";

export interface IntakeOptions {
  readonly connector: { readonly name: string; readonly version: string };
  readonly producer: LogProducer;
  readonly codec: Pick<Codec, "encode" | "encodeFinished" | "encodeEntry">;
  readonly vault: Vault;
  /** For the ledger's answers. */
  readonly pool: Pool;
  /** Deployment secret, 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
  readonly secret: string;
  /** Most bytes of a journal record (`INTAKE_UNIT_LIMIT`); default 10,000,000. */
  readonly unitLimit?: number;
  /** Most bytes of an encoded event; default 900,000, below the brokers' usual limit of a record. */
  readonly eventLimit?: number;
  /** Most bytes of units waiting for the log; default 256 MiB. */
  readonly waitingBytes?: number;
  /** Milliseconds after which an unreachable log or vault is told to the caller; default 10,000. */
  readonly timeLimit?: number;
  /** Epoch milliseconds; default the system's clock. */
  readonly now?: () => number;
}

export interface OpenIntake extends Intake {
  /** Waits for what is in hand. Producer, vault and pool stay open: they belong to the caller. */
  close(): Promise<void>;
}

/** Units of one call whose keys are asked for as soon as they are submitted. */
const manyUnits = 64;

/** What keeps a unit in memory beside its bytes: drafts, strings, the call. Only an estimate. */
const unitOverhead = 4_096;

/** The engine's side of a connector, over a log, a vault and a ledger. */
export function openIntake(options: IntakeOptions): OpenIntake {
  const { connector, producer, codec, vault, pool, now = Date.now } = options;
  const hash = keyedHash(options.secret);
  const context: RecordContext = {
    codec,
    connector,
    hash,
    contentHash: contentHash(options.secret),
    unitLimit: options.unitLimit ?? 10_000_000,
    eventLimit: options.eventLimit ?? 900_000,
  };

  async function prepare(waiting: readonly WaitingUnit[]): Promise<Prepared<OutgoingRecord, SubmittedUnit>[]> {
    const keys = await vault.keysFor(neededSubjects(waiting));
    return waiting.map((unit) => {
      try {
        const { record, verdict } = journalRecord(unit, keys, context);
        return { written: record, result: { verdict, receiptId: unit.receiptId } };
      } catch (cause) {
        // A mistake of a connector or of ours on one unit is no reason to refuse the units beside it.
        const what = "a unit can't be made into a record";
        return { written: undefined, result: new TributaryError("TRIB_SERVICE_UNEXPECTED", what, {}, { cause }) };
      }
    });
  }

  const group = new GroupCommit<WaitingUnit, OutgoingRecord, SubmittedUnit>({
    prepare,
    commit: (records) => producer.append(records),
    sizeOf: ({ unit }) => unit.bytes.length + unitOverhead,
    batchBytes: 8 * 1024 * 1024,
    batchItems: 2_000,
    waitingBytes: options.waitingBytes ?? 256 * 1024 * 1024,
    timeLimit: options.timeLimit ?? 10_000,
    unavailable: intakeUnavailable,
  });

  return {
    surrogate: surrogates(hash),
    newReceiptId,
    check: (unit) => checkUnit(unit, context),
    submit(units) {
      const receivedAt = now();
      const waiting = units.map((unit) => ({ unit, receivedAt, receiptId: newReceiptId() }));
      // While what was submitted before is made ready, the vault can answer. Few units are asked for with others.
      if (units.length >= manyUnits) vault.keysFor(neededSubjects(waiting)).catch(() => {});
      return group.submit(waiting);
    },
    async known(identities: readonly UnitIdentity[]) {
      try {
        return await knownIdentities(
          pool,
          identities.map((identity) => ({
            identity: uuidOf(identityHash(hash, identity)),
            resource: identity.rule === "LATEST" ? uuidOf(resourceHash(hash, identity)) : null,
          })),
        );
      } catch (error) {
        throw isUnavailable(error) ? intakeUnavailable(error) : error;
      }
    },
    close: () => group.drained(),
  };
}

const isUnavailable = (error: unknown): boolean => error instanceof TributaryError && error.definition.retriable;

function intakeUnavailable(cause: unknown): Error {
  if (typeof cause === "string") return new TributaryError("TRIB_INTAKE_UNAVAILABLE", undefined, { reason: cause });
  const facts = cause instanceof TributaryError ? { reason: cause.code } : {};
  return new TributaryError("TRIB_INTAKE_UNAVAILABLE", undefined, facts, { cause });
}
