import type { AnyProjection } from "../projector/definition.js";

/** One process that reads events: it projects them into read models (or, later, delivers them to a partner). */
export interface ConsumerDefinition {
  /** Folder name in `consumers/`; the group id is `tributary.<name>`, the Postgres role `tributary_<name>`. */
  readonly name: string;
  readonly project: readonly AnyProjection[];
}

export function consumer(definition: ConsumerDefinition): ConsumerDefinition {
  return definition;
}
