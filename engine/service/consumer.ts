import type { AnyDelivery, Delivery, DeliveryStart } from "../delivery/definition.js";
import type { AnyProjection, EventType } from "../projector/definition.js";

/** What a notary watches over. */
export interface NotaryDefinition {
  /** Topics whose records it chains and signs, without the installation's prefix. */
  readonly topics: readonly string[];
}

/** One process that reads the log: it projects events into read models, delivers them, or chains and signs what it reads. */
export interface ConsumerDefinition {
  /** Folder name in `consumers/`; the group id is `tributary.<name>`, the Postgres role `tributary_<name>`. */
  readonly name: string;
  /** Read models that it keeps; one that delivers and a notary keep none. */
  readonly project: readonly AnyProjection[];
  readonly notarize?: NotaryDefinition;
  readonly deliver?: AnyDelivery;
  /** Of one that delivers. */
  readonly start?: DeliveryStart;
}

interface ProjectingDefinition {
  readonly name: string;
  readonly project: readonly AnyProjection[];
}

interface DeliveringDefinition<Type extends EventType> {
  readonly name: string;
  /** Where it begins when it runs for the first time; default `latest`: what is sent can't be unsent. */
  readonly start?: DeliveryStart;
  readonly deliver: Delivery<Type>;
}

/** A consumer that delivers to a partner. */
export function consumer<const Type extends EventType>(definition: DeliveringDefinition<Type>): ConsumerDefinition;
/** A consumer that projects. */
export function consumer(definition: ProjectingDefinition): ConsumerDefinition;
export function consumer(definition: ProjectingDefinition | DeliveringDefinition<EventType>): ConsumerDefinition {
  return { project: [], ...definition };
}

/** A consumer that reads records without decoding them, chains their hashes, and signs what it has seen. */
export function notary(definition: { readonly name: string; readonly notarize: NotaryDefinition }): ConsumerDefinition {
  return { ...definition, project: [] };
}
