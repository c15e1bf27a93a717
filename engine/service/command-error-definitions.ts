import { again, final } from "./error-kinds.js";

/** What the command line says of a call. */
export const commandErrorDefinitions = {
  TRIB_CLI_CERTIFICATE_REFUSED: {
    summary: "The server does not take the client certificate, or was shown none.",
    remedy:
      "Give the partner's certificate and its key with `--cert` and `--cert-key`: one that is signed as the server asks (`HL7V2_TLS_CA_FILE`, `CONNECTOR_TLS_CA_FILE`).",
    ...final(1, 502),
  },
  TRIB_CLI_FILE_INVALID: {
    summary: "A file given to a command isn't what it has to be.",
    remedy: "Give the file that the message names, as it was made.",
    ...final(65, 400),
  },
  TRIB_CLI_FILE_THERE: {
    summary: "There is a file already where a command is to write one, and it stays as it is.",
    remedy: "Give `--out` another name, or `--force` to replace the file.",
    ...final(73, 409),
  },
  TRIB_CLI_FILE_UNREADABLE: {
    summary: "A file or folder given to a command can't be read.",
    remedy: "Check the path and your right to read it.",
    ...final(66, 400),
  },
  TRIB_CLI_FILE_UNWRITABLE: {
    summary: "What a command makes can't be written where it was asked to.",
    remedy: "Check that the folder is there and that you may write to it.",
    ...final(73, 400),
  },
  TRIB_CLI_MISUSED: {
    summary: "The command was called with what isn't there, or with what does not go together.",
    remedy: "The command's `--help` says what it takes.",
    ...final(64, 400),
  },
  TRIB_CLI_NAME_INVALID: {
    summary: "The name can't be used for a new folder.",
    remedy: "Choose another name.",
    ...final(64, 400),
  },
  TRIB_CLI_NOT_FOUND: {
    summary: "What the command was asked about isn't there.",
    remedy:
      "Check the id, place or name that the message has; where the command has a `list` beside it, that shows what there is.",
    ...final(1, 404),
  },
  TRIB_CLI_NOT_RUNNING: {
    summary: "The process that the command needs isn't running.",
    remedy: "`tributary run` starts every process; `tributary status` shows what runs.",
    ...again(1),
  },
  TRIB_CLI_PROFILE_INVALID: {
    summary: "The profile of a new partner can't be written as asked.",
    remedy:
      "`tributary producers fields CONNECTOR` lists the fields; `add-partner --help` says what each way of proof needs.",
    ...final(64, 400),
  },
  TRIB_CLI_PROOF_UNUSABLE: {
    summary: "What a sender proves itself with can't be used.",
    remedy: "Check the files given to `send`, and that the partner's profile names the same key, user or client.",
    ...final(64, 400),
  },
  TRIB_CLI_QUERY_REFUSED: {
    summary: "Postgres refuses the query.",
    remedy: "Tables and columns are in the schema `projections`; it can only be read.",
    ...final(64, 400),
  },
  TRIB_CLI_REASON_MISSING: {
    summary: "What identifies a person is opened for a reason only.",
    remedy: "Give `--reason`, or leave `--open` out: what is sealed stays closed then.",
    ...final(64, 400),
  },
  TRIB_CLI_SERVER_UNTRUSTED: {
    summary: "The server's certificate is not trusted, or is for another name.",
    remedy:
      "Name with `--ca` the authority that signed it, or itself where it signed itself; and with `--url` the address by a name that is in it.",
    ...final(1, 502),
  },
  TRIB_CLI_UNCONFIRMED: {
    summary: "The command changes something for good and was not confirmed.",
    remedy: "Answer `yes`, or give `--yes` where nobody can be asked.",
    ...final(64, 400),
  },
} as const;
