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
  TRIB_CLI_FILE_UNREADABLE: {
    summary: "A file given to a command can't be read.",
    remedy: "Check the path and your right to read it.",
    retriable: false,
    httpStatus: 400,
    exitCode: 64,
  },
  TRIB_CLI_NAME_INVALID: {
    summary: "The name can't be used for a new folder.",
    remedy: "Choose another name.",
    retriable: false,
    httpStatus: 400,
    exitCode: 64,
  },
  TRIB_CLI_NOT_FOUND: {
    summary: "What the command was asked about isn't there.",
    remedy: "The `list` command beside it shows what there is.",
    retriable: false,
    httpStatus: 404,
    exitCode: 1,
  },
  TRIB_CLI_NOT_RUNNING: {
    summary: "The process that the command needs isn't running.",
    remedy: "`tributary run` starts every process; `tributary status` shows what runs.",
    retriable: true,
    httpStatus: 503,
    exitCode: 1,
  },
  TRIB_CONFIG_INVALID: {
    summary: "One or more settings are missing or malformed.",
    remedy: "Correct the settings listed; `tributary config print` shows every setting with its source.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_CONNECTOR_UNREACHABLE: {
    summary: "No connector answers at the address.",
    remedy: "Start it (`tributary run <connector>`), or see its address in `tributary status`.",
    retriable: true,
    httpStatus: 502,
    exitCode: 1,
  },
  TRIB_HL7V2_UNREACHABLE: {
    summary: "No MLLP server answers at the connector's address.",
    remedy: "Start the connector (`tributary run hl7v2`), or see its address in `tributary status`.",
    retriable: true,
    httpStatus: 502,
    exitCode: 1,
  },
  TRIB_LOG_FIELD_INVALID: {
    summary: "A record doesn't fit its schema.",
    remedy: "Correct the code that made the field named; the schemas are in `schemas/`.",
    retriable: false,
    httpStatus: 500,
    exitCode: 70,
  },
  TRIB_LOG_JOURNAL_UNMADE: {
    summary: "The intake journal has no id: its topic was never opened.",
    remedy: "Run `tributary topics apply`.",
    retriable: false,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_LOG_PARTITIONS_CHANGED: {
    summary: "The number of partitions of a topic changed while it was read.",
    remedy: "Partitions are fixed at birth: restore the topic, or rebuild from a new one.",
    retriable: false,
    httpStatus: 500,
    exitCode: 74,
  },
  TRIB_LOG_RECORD_TOO_LARGE: {
    summary: "A record is larger than its topic allows.",
    remedy: "Lower INTAKE_UNIT_LIMIT or raise the topic's `max.message.bytes`; `tributary topics check` compares them.",
    retriable: false,
    httpStatus: 413,
    exitCode: 70,
  },
  TRIB_LOG_REGISTRY_UNAVAILABLE: {
    summary: "The schema registry can't be reached or doesn't answer as one.",
    remedy: "Check SCHEMA_REGISTRY_URL and the registry's state; `tributary doctor` tries it.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_LOG_SCHEMA_INCOMPATIBLE: {
    summary: "A schema can't be read by, or can't read, one of its committed versions.",
    remedy: "Undo the change, or make a new record: versions are compatible in both directions for ever.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_LOG_SCHEMA_NOT_REGISTERED: {
    summary: "A schema that this version writes isn't in the registry.",
    remedy: "Run `tributary schemas register`.",
    retriable: false,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_LOG_SCHEMA_UNCOMMITTED: {
    summary: "A schema differs from its newest committed version.",
    remedy: "Run `tributary schemas check --commit` and commit the file it writes.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_LOG_SUBSCRIPTION_FAILED: {
    summary: "A subscription to the log ended by itself.",
    remedy: "Read the log line before it; the process stops and its supervisor starts it again.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_LOG_TOPIC_MISSING: {
    summary: "A topic isn't there.",
    remedy: "Run `tributary topics apply`.",
    retriable: false,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_LOG_TRUNCATED: {
    summary: "Records that were not yet read are gone from the log, or the log is shorter than what was read.",
    remedy: "Never resume by itself: restore the topic, or rebuild the read model from what is left, knowingly.",
    retriable: false,
    httpStatus: 500,
    exitCode: 74,
  },
  TRIB_LOG_UNAVAILABLE: {
    summary: "The log can't be reached in time.",
    remedy: "Check KAFKA_BROKERS and the brokers' state; the same call may succeed later.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_LOG_UNDECODABLE: {
    summary: "A record isn't in the wire format, or its bytes don't fit its schema.",
    remedy: "Find out who wrote it: only the engine writes to its topics.",
    retriable: false,
    httpStatus: 500,
    exitCode: 74,
  },
  TRIB_LOG_UNKNOWN_SCHEMA: {
    summary: "A record was written with a schema that this process doesn't know.",
    remedy: "Upgrade this process to the version that writes it.",
    retriable: true,
    httpStatus: 503,
    exitCode: 74,
  },
  TRIB_INTAKE_FENCE_LOST: {
    summary: "Another process publishes this journal partition.",
    remedy:
      "Nothing to do when a publisher was just started or stopped; else look for two installations on one journal.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_INTAKE_JOURNAL_CHANGED: {
    summary: "The journal is not the one that the checkpoints are about.",
    remedy: "The topic was made anew or the database belongs to another installation: restore the one that is wrong.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_INTAKE_JOURNAL_INVALID: {
    summary: "The journal holds something that is no entry.",
    remedy: "Find who writes to the journal's topic beside the connectors; the publisher stops there.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_INTAKE_UNAVAILABLE: {
    summary: "The log or the vault can't be reached, so nothing can be accepted.",
    remedy: "The sender tries again; check Kafka and Postgres.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_PROJECT_AWAIT_TIMEOUT: {
    summary: "Not all that was in the log has been applied in the time given.",
    remedy: "Look at the lag in `tributary status`; await with a longer `--timeout`.",
    retriable: true,
    httpStatus: 504,
    exitCode: 75,
  },
  TRIB_PROJECT_BUILD_CHANGED: {
    summary: "A projection's tables differ from those of its build, and its version is the same.",
    remedy: "Raise `version` in the projection named: a new build is made beside the old one.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_PROJECT_BUILD_MISSING: {
    summary: "A projection has no build in the database.",
    remedy: "Run `tributary up`, or `tributary consumers grants` as the database's owner.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_PROJECT_DEFINITION_INVALID: {
    summary: "The definition of a projection is wrong.",
    remedy: "Correct the places named.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_PROJECT_EVENT_UNDECODABLE: {
    summary: "An event's bytes can't be decoded; its key is parked.",
    remedy: "See it with `tributary parked show`; find out who wrote it.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_FENCE_LOST: {
    summary: "Another process has taken over this partition of the read model; nothing of this one was written.",
    remedy: "Nothing: the other process goes on. If it comes again and again, two groups write to one build.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_PROJECT_FOLD_FAILED: {
    summary: "A fold threw an error; the event's key is parked.",
    remedy: "See it with `tributary parked show`; mend the fold.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_FOLD_PARKED: {
    summary: "A fold could not apply an event; its key is parked.",
    remedy: "See the reason with `tributary parked show`.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_JOURNAL_UNKNOWN: {
    summary: "An event comes from another journal than this read model was built from.",
    remedy: "The journal was made anew, or the database belongs to another log: rebuild into a fresh database.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_PROJECT_LOG_TRUNCATED: {
    summary: "The log no longer has events that this read model has not applied.",
    remedy: "Restore the log, or rebuild into a fresh database knowing that facts are lost.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_PROJECT_POSITION_CONFLICT: {
    summary: "Two events claim the same journal position.",
    remedy: "Someone wrote to an event topic beside the publisher: compare both with `tributary events show`.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_POSITION_MISSING: {
    summary: "An event in a topic of ours carries no journal position.",
    remedy: "Someone wrote to an event topic beside the publisher; only the publisher may.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_SCHEMA_UNKNOWN: {
    summary: "An event was written with a schema that the registry doesn't know.",
    remedy: "Run `tributary schemas register`, or check SCHEMA_REGISTRY_URL.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_PROJECT_VALUE_INVALID: {
    summary: "A fold gave a value that its column can't hold; the event's key is parked.",
    remedy: "See the column with `tributary parked show`; mend the fold or the column.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_PROJECT_WRITE_FAILED: {
    summary: "Postgres could not write a batch for a reason that is not in the data.",
    remedy: "Read the code of the cause: a missing table or grant is mended by `tributary up`.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_PROJECT_WRITE_REFUSED: {
    summary: "Postgres refuses an event's rows; its key is parked.",
    remedy: "See it with `tributary parked show`; mend the fold or the table.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_SERVICE_NOT_FOUND: {
    summary: "There is no such connector or consumer.",
    remedy: "`tributary producers list` and `tributary consumers list` show what there is; `new` makes a folder.",
    retriable: false,
    httpStatus: 404,
    exitCode: 64,
  },
  TRIB_SERVICE_PROFILE_INVALID: {
    summary: "A partner profile does not follow its connector's schema.",
    remedy: "Correct the fields named; the connector's README lists every field.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_SERVICE_UNEXPECTED: {
    summary: "An unexpected failure inside the engine.",
    remedy: "Report it with the log line; the process stops and its supervisor starts it again.",
    retriable: true,
    httpStatus: 500,
    exitCode: 70,
  },
  TRIB_STACK_DISK_FULL: {
    summary: "The disk is full.",
    remedy:
      "Make room below the folder named (a first start needs about 1.5 GB), then run the command again; nothing kept is lost.",
    retriable: true,
    httpStatus: 507,
    exitCode: 74,
  },
  TRIB_STACK_DOCKER_FAILED: {
    summary: "Docker Compose could not bring the services up or down.",
    remedy:
      "Read the lines of Docker above; `docker compose logs` has more. A folder first started with Docker needs Docker; another `TRIBUTARY_HOME` starts without it.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_STACK_DOWNLOAD_FAILED: {
    summary: "A download of the local stack failed.",
    remedy:
      "Check the network, and a proxy or mirror in Maven's `settings.xml`; then run the command again, which continues with what is missing.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_STACK_JAVA_MISSING: {
    summary: "The local stack needs Java, and none was found.",
    remedy:
      "Install Java 17 or newer (or set `JAVA_HOME`), or start Docker, or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.",
    retriable: false,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STACK_JAVA_TOO_OLD: {
    summary: "The Java found is too old for the local stack.",
    remedy: "Install Java 17 or newer, or let `JAVA_HOME` name it.",
    retriable: false,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STACK_LOCKED: {
    summary: "Another command is starting or stopping the same stack.",
    remedy: "Wait for it to end, or end it; the lock of an ended process is ignored.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_STACK_MAVEN_MISSING: {
    summary: "The local stack is downloaded by Maven, and no `mvn` was found.",
    remedy:
      "Install Maven 3.6.3 or newer, or start Docker, or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.",
    retriable: false,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STACK_PLATFORM_UNSUPPORTED: {
    summary: "The Postgres binaries of this platform are missing or do not run here.",
    remedy:
      "Run `npm ci` without `--omit=optional`; on a platform without such binaries start Docker, or set DATABASE_URL and the other two.",
    retriable: false,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STACK_PORT_TAKEN: {
    summary: "Another program listens on a port of the local stack.",
    remedy:
      "End that program, or delete `stack.json` in TRIBUTARY_HOME after `tributary down`: the next start takes free ports and keeps the data.",
    retriable: false,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_STACK_SETTINGS_PARTIAL: {
    summary: "Some of the services are named by settings and some are not.",
    remedy:
      "Set all of KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL (or the PG* variables) to use your own services, or none of them for a stack on this machine.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_STACK_START_FAILED: {
    summary: "A service of the local stack did not start.",
    remedy: "Read the lines of its log; then run the command again.",
    retriable: true,
    httpStatus: 503,
    exitCode: 69,
  },
  TRIB_STACK_STATE_UNREADABLE: {
    summary: "The remembered state of the local stack cannot be read.",
    remedy: "Delete the file named after ending its services; the data beside it is kept.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_STACK_STOP_FAILED: {
    summary: "A service of the local stack did not stop.",
    remedy: "End the process named by hand.",
    retriable: true,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STACK_USER_MISSING: {
    summary: "Postgres does not run as root, and no other user could be used.",
    remedy:
      "Run as an ordinary user, or install `setpriv` (util-linux), or set TRIBUTARY_HOME to a folder that the user `nobody` can reach.",
    retriable: false,
    httpStatus: 500,
    exitCode: 69,
  },
  TRIB_STORE_UNAVAILABLE: {
    summary: "Postgres can't be reached.",
    remedy: "Check DATABASE_URL and the server; work goes on by itself when it is back.",
    retriable: true,
    httpStatus: 503,
    exitCode: 75,
  },
  TRIB_VAULT_FORBIDDEN: {
    summary: "This login role may not open sealed content of an event type.",
    remedy: "Let `consumers grants` give the consumer's role what its projections need.",
    retriable: false,
    httpStatus: 403,
    exitCode: 77,
  },
  TRIB_VAULT_KEK_UNKNOWN: {
    summary: "A data key was wrapped by another key-encryption key than the one given.",
    remedy: "Give the key-encryption key whose id is named (TRIBUTARY_KEK_FILE).",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_VAULT_KEY_MISSING: {
    summary: "The vault never had a key that something is sealed under.",
    remedy: "The vault is not the one the log was written with, or an old copy of it: restore it.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_VAULT_TAMPERED: {
    summary: "Sealed content does not belong to its key or place.",
    remedy: "Compare log and vault with their backups: one of them was changed.",
    retriable: false,
    httpStatus: 500,
    exitCode: 65,
  },
  TRIB_X12_BODY_TOO_LARGE: {
    summary: "The body is larger than the X12 server takes.",
    remedy: "Send fewer transaction sets at once, or raise X12_BODY_LIMIT.",
    retriable: false,
    httpStatus: 413,
    exitCode: 65,
  },
  TRIB_X12_PARTNER_UNKNOWN: {
    summary: "No partner of this name has an X12 profile.",
    remedy: "Add producers/x12/partners/<partner>.json, or correct the name.",
    retriable: false,
    httpStatus: 404,
    exitCode: 66,
  },
  TRIB_X12_UNREACHABLE: {
    summary: "No X12 server answers at the connector's address.",
    remedy: "Start the connector (`tributary run x12`), or see its address in `tributary status`.",
    retriable: true,
    httpStatus: 502,
    exitCode: 1,
  },
  TRIB_X12_UNREADABLE: {
    summary: "The bytes can't be read as X12 interchanges to their end.",
    remedy: "Look at the place named: an interchange begins with an ISA segment of 106 bytes and ends with IEA.",
    retriable: false,
    httpStatus: 400,
    exitCode: 65,
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof errorDefinitions;

/** Facts that may stand beside an error in a log line: ids, places and limits, never a partner's value. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/** An error with a stable code. Its `facts` are safe to log. */
export class TributaryError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, detail?: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(detail ?? errorDefinitions[code].summary, options);
    this.name = "TributaryError";
    this.code = code;
    this.facts = facts;
  }

  get definition(): ErrorDefinition {
    return errorDefinitions[this.code];
  }
}
