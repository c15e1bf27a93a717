import { again, final } from "./error-kinds.js";

/** Coded errors of the vault; part of `errorDefinitions`. */
export const vaultErrorDefinitions = {
  TRIB_VAULT_ERASURE_PENDING: {
    summary:
      "A patient's keys are destroyed, and the read models could not be told yet, or an as-of could not be dropped.",
    remedy:
      "Start the publisher and the consumers, end who reads an as-of, then run `vault erase` again: it goes on where it stopped.",
    ...again(75),
  },
  TRIB_VAULT_FORBIDDEN: {
    summary: "This login role may not open sealed content of an event type.",
    remedy: "Let `consumers grants` give the consumer's role what its projections need.",
    ...final(77, 403),
  },
  TRIB_VAULT_KEK_UNKNOWN: {
    summary: "A data key was wrapped by another key-encryption key than the one given.",
    remedy: "Give the key-encryption key whose id is named (TRIBUTARY_KEK_FILE).",
    ...final(78),
  },
  TRIB_VAULT_KEY_MISSING: {
    summary: "The vault never had a key that something is sealed under.",
    remedy: "The vault is not the one the log was written with, or an old copy of it: restore it.",
    ...final(65),
  },
  TRIB_VAULT_TAMPERED: {
    summary: "Sealed content does not belong to its key or place.",
    remedy: "Compare log and vault with their backups: one of them was changed.",
    ...final(65),
  },
} as const;
