import type { EventInputs } from "../../schemas/events.generated.js";
import type { Surroundings } from "./surroundings.js";

type Transmission = NonNullable<EventInputs["ClaimSubmitted"]["transmission"]>;

/**
 * Who sent what an acknowledgment is about, and to whom: by ISA06 and ISA08, which an answer has the other way round. A
 * clearing house may put other names in its groups.
 */
export interface Exchange {
  readonly sender: string;
  readonly receiver: string;
}

type SurrogateOf = Pick<Surroundings, "surrogate">;

/** Surrogate id of an interchange, a group or a batch, as its sender numbered it. */
function exchangeId({ surrogate }: SurrogateOf, { sender, receiver }: Exchange, kind: string, number: string): string {
  return surrogate("interchange", sender, receiver, `${kind}/${number}`);
}

/** Id of the interchange with this ISA13. */
export const interchangeId = (of: SurrogateOf, exchange: Exchange, control: string): string =>
  exchangeId(of, exchange, "ISA", control);

/** Id of the functional group with this GS01 and GS06. Leading zeros of a number don't count. */
export const groupId = (of: SurrogateOf, exchange: Exchange, functionalId: string, control: string): string =>
  exchangeId(of, exchange, functionalId, control.replace(/^0+(?=.)/, ""));

/** Id of the batch with this BHT03. */
export const batchId = (of: SurrogateOf, exchange: Exchange, reference: string): string =>
  exchangeId(of, exchange, "BHT", reference);

/** Id of what the batch with this BHT03 has of one provider, named by NPI or the id given. */
export const batchPartId = (of: SurrogateOf, exchange: Exchange, reference: string, provider: string): string =>
  exchangeId(of, exchange, "BHT/provider", `${provider}/${reference}`);

/**
 * How the claims of a set travelled.
 * @param reference BHT03.
 * @param provider what names the billing provider; empty: nothing does.
 */
export function transmissionOf(surroundings: Surroundings, reference: string, provider: string): Transmission {
  const { interchange, group, set } = surroundings;
  const exchange = { sender: interchange.sender, receiver: interchange.receiver };
  return {
    interchangeId: interchangeId(surroundings, exchange, interchange.control),
    groupId: groupId(surroundings, exchange, group.functionalId, group.control),
    batchId: reference === "" ? null : batchId(surroundings, exchange, reference),
    batchPartId: reference === "" || provider === "" ? null : batchPartId(surroundings, exchange, reference, provider),
    interchangeControl: interchange.control,
    groupControl: group.control,
    setControl: set.control,
    batchReference: reference === "" ? null : reference,
    acknowledgmentRequested: interchange.acknowledgementRequested,
  };
}
