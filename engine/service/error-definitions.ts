import { commandErrorDefinitions } from "./command-error-definitions.js";
import { deliveryErrorDefinitions } from "./delivery-error-definitions.js";
import { again, final } from "./error-kinds.js";
import { receptionErrorDefinitions } from "./reception-error-definitions.js";
import { replayErrorDefinitions } from "./replay-error-definitions.js";
import { stackErrorDefinitions } from "./stack-error-definitions.js";
import { vaultErrorDefinitions } from "./vault-error-definitions.js";

/**
 * Every coded error of the engine, in one place.
 *
 * A code is `TRIB_<AREA>_<WHAT>`. `message` may name places, codes, ids and limits, never a value that a partner sent.
 * `docs/errors.md` is generated from this table and compared in the tests.
 */
export interface ErrorDefinition {
  /** What is wrong, in one sentence. */
  readonly summary: string;
  /** What the reader should do about it. */
  readonly remedy: string;
  /** True when the same call may succeed later without any change. */
  readonly retriable: boolean;
  /** HTTP status when the error is answered over HTTP. */
  readonly httpStatus: number;
  /** Exit code when the error ends a process. */
  readonly exitCode: number;
}

export const errorDefinitions = {
  TRIB_AUDIT_CHAIN_BROKEN: {
    summary: "A hash that the notary needs is gone from its chain.",
    remedy:
      "Somebody changed `engine.notary_chain`: `tributary audit verify` names the first place; restore the table.",
    ...final(74),
  },
  TRIB_AUDIT_ERASED_MEANWHILE: {
    summary: "A patient was erased while what was opened of the patient was put together; nothing was handed out.",
    remedy: "Ask again: what was erased stays closed then.",
    ...again(75),
  },
  TRIB_AUDIT_FENCE_LOST: {
    summary: "Another notary writes the chain of a partition that was given to this one.",
    remedy: "Two installations share a database: give each its own, or its own TOPIC_PREFIX.",
    ...again(75),
  },
  TRIB_AUDIT_HISTORY_DIVERGED: {
    summary: "What the notary signed before, kept in the second place, isn't what the database says.",
    remedy:
      "Never resume by itself: the database was restored to an older state or rewritten. `tributary audit verify` shows where.",
    ...final(74),
  },
  TRIB_AUDIT_JOURNAL_CHANGED: {
    summary: "The notary's chain belongs to another journal than the log's.",
    remedy: "The topics were made anew: keep the old chain as evidence, and give the new log a database of its own.",
    ...final(74),
  },
  TRIB_AUDIT_NOT_SIGNED: {
    summary: "The notary has not signed a record that is to be proven.",
    remedy: "See that it runs (`tributary run notary`); it signs every NOTARY_SECONDS. Then try again.",
    ...again(75),
  },
  TRIB_AUDIT_PACKAGE_TOO_LARGE: {
    summary: "More records fall into the period than go into one package.",
    remedy: "Make several packages of shorter periods.",
    ...final(64, 400),
  },
  TRIB_AUDIT_SECOND_PLACE_GONE: {
    summary: "The notary's second place (NOTARY_FOLDER) has nothing of this installation, although heads were signed.",
    remedy:
      "Mount it again, or set NOTARY_FOLDER to where it is: never go on in an empty one unawares. When it is lost for good, `tributary audit folder --begin --reason TEXT` begins another.",
    ...final(74),
  },
  ...commandErrorDefinitions,
  TRIB_CONFIG_INVALID: {
    summary: "One or more settings are missing or malformed.",
    remedy: "Correct the settings listed; `tributary config print` shows every setting with its source.",
    ...final(78),
  },
  TRIB_CONNECTOR_UNREACHABLE: {
    summary: "No connector answers at the address.",
    remedy: "Start it (`tributary run <connector>`), or see its address in `tributary status`.",
    ...again(1, 502),
  },
  ...deliveryErrorDefinitions,
  TRIB_HL7V2_FILE_TOO_LARGE: {
    summary: "A dropped file is over the size limit.",
    remedy: "Drop it in parts, or raise `HL7V2_FILE_LIMIT`.",
    ...final(2, 413),
  },
  TRIB_HL7V2_UNREACHABLE: {
    summary: "No MLLP server answers at the connector's address.",
    remedy: "Start the connector (`tributary run hl7v2`), or see its address in `tributary status`.",
    ...again(1, 502),
  },
  TRIB_LOG_BATCH_UNREADABLE: {
    summary: "What the log holds at a place is no record any more.",
    remedy:
      "The broker's disk is damaged or was tampered with: `tributary audit verify` names the first place; restore it.",
    ...final(74),
  },
  TRIB_LOG_FIELD_INVALID: {
    summary: "A record doesn't fit its schema.",
    remedy: "Correct the code that made the field named; the schemas are in `schemas/`.",
    ...final(70),
  },
  TRIB_LOG_JOURNAL_UNMADE: {
    summary: "The intake journal has no id: its topic was never opened.",
    remedy: "Run `tributary topics apply`.",
    ...final(69, 503),
  },
  TRIB_LOG_PARTITIONS_CHANGED: {
    summary: "The number of partitions of a topic changed: what is read was begun with another.",
    remedy:
      "Partitions are fixed at birth: keys would move. Where none has moved yet, `tributary topics accept` goes on and leaves those added empty; else see docs/operations.md.",
    ...final(74),
  },
  TRIB_LOG_RECORD_TOO_LARGE: {
    summary: "A record is larger than its topic allows.",
    remedy: "Lower INTAKE_UNIT_LIMIT or raise the topic's `max.message.bytes`; `tributary topics check` compares them.",
    ...final(70, 413),
  },
  TRIB_LOG_REGISTRY_UNAVAILABLE: {
    summary: "The schema registry can't be reached or doesn't answer as one.",
    remedy: "Check SCHEMA_REGISTRY_URL and the registry's state; `tributary doctor` tries it.",
    ...again(69),
  },
  TRIB_LOG_SCHEMA_INCOMPATIBLE: {
    summary: "A schema can't be read by, or can't read, one of its committed versions.",
    remedy: "Undo the change, or make a new record: versions are compatible in both directions for ever.",
    ...final(65),
  },
  TRIB_LOG_SCHEMA_NOT_REGISTERED: {
    summary: "A schema that this version writes isn't in the registry.",
    remedy: "Run `tributary schemas register`.",
    ...final(69, 503),
  },
  TRIB_LOG_SCHEMA_UNCOMMITTED: {
    summary: "A schema differs from its newest committed version.",
    remedy: "Run `tributary schemas check --commit` and commit the file it writes.",
    ...final(65),
  },
  TRIB_LOG_SUBSCRIPTION_FAILED: {
    summary: "A subscription to the log ended by itself.",
    remedy: "Read the log line before it; the process stops and its supervisor starts it again.",
    ...again(75),
  },
  TRIB_LOG_REPLACED: {
    summary: "Another record stands in the log where one was read: its topic was deleted and made anew.",
    remedy:
      "Never resume by itself: restore the topic as it was, or rebuild the read model from what is there, knowingly.",
    ...final(74),
  },
  TRIB_LOG_TOPIC_MISSING: {
    summary: "A topic isn't there.",
    remedy: "Run `tributary topics apply`.",
    ...final(69, 503),
  },
  TRIB_LOG_TRUNCATED: {
    summary: "Records that were not yet read are gone from the log, or the log is shorter than what was read.",
    remedy: "Never resume by itself: restore the topic, or rebuild the read model from what is left, knowingly.",
    ...final(74),
  },
  TRIB_LOG_UNAVAILABLE: {
    summary: "The log can't be reached in time.",
    remedy: "Check KAFKA_BROKERS and the brokers' state; the same call may succeed later.",
    ...again(69),
  },
  TRIB_LOG_UNDECODABLE: {
    summary: "A record isn't in the wire format, or its bytes don't fit its schema.",
    remedy: "Find out who wrote it: only the engine writes to its topics.",
    ...final(74),
  },
  TRIB_LOG_UNKNOWN_SCHEMA: {
    summary: "A record was written with a schema that this process doesn't know.",
    remedy: "Upgrade this process to the version that writes it.",
    ...again(74),
  },
  TRIB_INTAKE_FENCE_LOST: {
    summary: "Another process publishes this journal partition.",
    remedy:
      "Nothing to do when a publisher was just started or stopped; else look for two installations on one journal.",
    ...again(75),
  },
  TRIB_INTAKE_JOURNAL_CHANGED: {
    summary: "The journal is not the one that the checkpoints are about.",
    remedy: "The topic was made anew or the database belongs to another installation: restore the one that is wrong.",
    ...final(65),
  },
  TRIB_INTAKE_JOURNAL_INVALID: {
    summary: "The journal holds something that is no entry.",
    remedy: "Find who writes to the journal's topic beside the connectors; the publisher stops there.",
    ...final(65),
  },
  TRIB_INTAKE_RETRANSLATION_BUSY: {
    summary: "Another process translates units again.",
    remedy: "Wait until it is done; two at once would count the same generation.",
    ...again(75),
  },
  TRIB_INTAKE_RETRANSLATION_UNKNOWN: {
    summary: "The journal does not tell how a unit that was asked for was sent, so it can't be translated again.",
    remedy:
      "Have the partner send it again, and leave it out here by --partner, --connector, --since and --until: see docs/retranslate.md.",
    ...final(70),
  },
  TRIB_INTAKE_RETRANSLATION_UNMATCHED: {
    summary: "Some units could not be translated again; all others were.",
    remedy:
      "The connector as it is now does not find these units in what was received, or finds another partner: see docs/retranslate.md.",
    ...final(2),
  },
  TRIB_INTAKE_UNAVAILABLE: {
    summary: "The log or the vault can't be reached, so nothing can be accepted.",
    remedy: "The sender tries again; check Kafka and Postgres.",
    ...again(75),
  },
  TRIB_PROJECT_AWAIT_TIMEOUT: {
    summary: "Not all that was in the log has been applied in the time given.",
    remedy: "Look at the lag in `tributary status`; await with a longer `--timeout`.",
    ...again(75, 504),
  },
  TRIB_PROJECT_BUILD_CHANGED: {
    summary: "A projection's tables differ from those of its build, and its version is the same.",
    remedy: "Raise `version` in the projection named: a new build is made beside the old one.",
    ...final(78),
  },
  TRIB_PROJECT_BUILD_MISSING: {
    summary: "A projection has no build in the database.",
    remedy: "Run `tributary up`, or `tributary consumers grants` as the database's owner.",
    ...final(78),
  },
  TRIB_PROJECT_DEFINITION_INVALID: {
    summary: "The definition of a projection is wrong.",
    remedy: "Correct the places named.",
    ...final(78),
  },
  TRIB_PROJECT_EVENT_UNDECODABLE: {
    summary: "An event's bytes can't be decoded; its key is parked.",
    remedy: "See it with `tributary parked show`; find out who wrote it.",
    ...final(65),
  },
  TRIB_PROJECT_FENCE_LOST: {
    summary: "Another process has taken over this partition of the read model; nothing of this one was written.",
    remedy: "Nothing: the other process goes on. If it comes again and again, two groups write to one build.",
    ...again(75),
  },
  TRIB_PROJECT_FOLD_FAILED: {
    summary: "A fold threw an error; the event's key is parked.",
    remedy: "See it with `tributary parked show`; mend the fold.",
    ...final(65),
  },
  TRIB_PROJECT_FOLD_PARKED: {
    summary: "A fold could not apply an event; its key is parked.",
    remedy: "See the reason with `tributary parked show`.",
    ...final(65),
  },
  TRIB_PROJECT_FOLD_TOO_SLOW: {
    summary: "A fold takes longer than its budget for one event; the process ends and nothing is parked.",
    remedy:
      "Mend the fold or raise FOLD_SECONDS; to go on without the event, decide it: `tributary parked park` with the place named.",
    ...final(70),
  },
  TRIB_PROJECT_JOURNAL_UNKNOWN: {
    summary: "An event comes from another journal than this read model was built from.",
    remedy: "The journal was made anew, or the database belongs to another log: rebuild into a fresh database.",
    ...final(78),
  },
  TRIB_PROJECT_LOG_TRUNCATED: {
    summary: "The log no longer has events that this read model has not applied.",
    remedy: "Restore the log, or rebuild into a fresh database knowing that facts are lost.",
    ...final(78),
  },
  TRIB_PROJECT_PARKED_BY_OPERATOR: {
    summary: "An operator decided that an event parks its key without being applied.",
    remedy: "The audit topic has who decided it and why; `tributary parked retry` takes it back.",
    ...final(65),
  },
  TRIB_PROJECT_POSITION_CONFLICT: {
    summary: "Two events claim the same journal position.",
    remedy: "Someone wrote to an event topic beside the publisher: compare both with `tributary events show`.",
    ...final(65),
  },
  TRIB_PROJECT_POSITION_MISSING: {
    summary: "An event in a topic of ours carries no journal position.",
    remedy: "Someone wrote to an event topic beside the publisher; only the publisher may.",
    ...final(65),
  },
  TRIB_PROJECT_REQUEST_REFUSED: {
    summary: "The owner of the partition could not do what was asked.",
    remedy: "Read the reason; `tributary parked list` shows what is parked where.",
    ...final(1, 409),
  },
  TRIB_PROJECT_REQUEST_TIMEOUT: {
    summary: "What was asked has not been carried out in the time given; it stays asked for.",
    remedy: "See in `tributary status` whether the consumer runs: it carries it out as soon as it does.",
    ...again(75, 504),
  },
  TRIB_PROJECT_SCHEMA_UNKNOWN: {
    summary: "An event was written with a schema that this process can't learn from the registry.",
    remedy:
      "Run `tributary schemas register`, check SCHEMA_REGISTRY_URL, or upgrade; to go on without the event, decide it: `tributary parked park` with the place named.",
    ...again(69),
  },
  TRIB_PROJECT_SWAP_TIMEOUT: {
    summary: "The views of a read model could not be put on another build in time.",
    remedy: "See in `tributary projections list` whether the build catches up, and end queries that run for long.",
    ...again(1),
  },
  TRIB_PROJECT_TOO_MANY_PARKED: {
    summary: "A projection holds back as many keys as it may; it stops rather than park one more.",
    remedy:
      "Mend what parks them and `tributary parked retry NAME --all`; or raise PROJECTION_PARKED_LIMIT, or decide the event named: `tributary parked park`.",
    ...final(65),
  },
  TRIB_PROJECT_VALUE_INVALID: {
    summary: "A fold gave a value that its column can't hold; the event's key is parked.",
    remedy: "See the column with `tributary parked show`; mend the fold or the column.",
    ...final(65),
  },
  TRIB_PROJECT_VIEWS_DEPENDED: {
    summary: "Views of others stand on columns of a read model's views that go or change; nothing was changed.",
    remedy: "Drop the views named, let the version through, and make them again as they shall be.",
    ...final(78),
  },
  TRIB_PROJECT_WRITE_FAILED: {
    summary: "Postgres could not write a batch for a reason that is not in the data.",
    remedy: "Read the code of the cause: a missing table or grant is mended by `tributary up`.",
    ...again(69),
  },
  TRIB_PROJECT_WRITE_REFUSED: {
    summary: "Postgres refuses an event's rows; its key is parked.",
    remedy: "See it with `tributary parked show`; mend the fold or the table.",
    ...final(65),
  },
  ...replayErrorDefinitions,
  ...receptionErrorDefinitions,
  TRIB_SERVICE_NOT_FOUND: {
    summary: "There is no such connector or consumer.",
    remedy: "`tributary producers list` and `tributary consumers list` show what there is; `new` makes a folder.",
    ...final(64, 404),
  },
  TRIB_SERVICE_PROFILE_INVALID: {
    summary: "A partner profile does not follow its connector's schema.",
    remedy: "Correct what is named; `tributary producers fields CONNECTOR` lists every field.",
    ...final(78),
  },
  TRIB_SERVICE_PROFILES_OVERLAP: {
    summary: "Two partner profiles of a connector claim the same sender.",
    remedy: "Leave what is named in one of the two files only, then `tributary producers restart` the connector.",
    ...final(78),
  },
  TRIB_SERVICE_UNEXPECTED: {
    summary: "An unexpected failure inside the engine.",
    remedy: "Report it with the log line; the process stops and its supervisor starts it again.",
    ...again(70, 500),
  },
  ...stackErrorDefinitions,
  TRIB_STORE_UNAVAILABLE: {
    summary: "Postgres can't be reached.",
    remedy: "Check DATABASE_URL and the server; work goes on by itself when it is back.",
    ...again(69),
  },
  ...vaultErrorDefinitions,
  TRIB_X12_UNREADABLE: {
    summary: "The bytes can't be read as X12 interchanges to their end.",
    remedy: "Look at the place named: an interchange begins with an ISA segment of 106 bytes and ends with IEA.",
    ...final(65, 400),
  },
} as const satisfies Record<string, ErrorDefinition>;
