import type { AnyProjection } from "../projector/definition.js";

/** What a notary watches over. */
export interface NotaryDefinition {
  /** Topics whose records it chains and signs, without the installation's prefix. */
  readonly topics: readonly string[];
}

/** One process that reads the log: it projects events into read models, or chains and signs what it reads. */
export interface ConsumerDefinition {
  /** Folder name in `consumers/`; the group id is `tributary.<name>`, the Postgres role `tributary_<name>`. */
  readonly name: string;
  /** Read models that it keeps; a notary keeps none. */
  readonly project: readonly AnyProjection[];
  readonly notarize?: NotaryDefinition;
}

/** A consumer that projects. */
export function consumer(definition: Omit<ConsumerDefinition, "notarize">): ConsumerDefinition {
  return definition;
}

/** A consumer that reads records without decoding them, chains their hashes, and signs what it has seen. */
export function notary(definition: { readonly name: string; readonly notarize: NotaryDefinition }): ConsumerDefinition {
  return { ...definition, project: [] };
}
