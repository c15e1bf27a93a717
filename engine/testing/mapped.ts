import { mapEvent } from "../delivery/mapping.js";
import type { FoldInput } from "../projector/fold.js";
import type { ConsumerDefinition } from "../service/consumer.js";

/**
 * What a delivering consumer makes of events, as its partner would find it under `data`: undefined where nothing is sent of one.
 * @throws Error where the key would be held back, with the reason.
 */
export function mapped({ name, deliver }: ConsumerDefinition, inputs: readonly FoldInput[]): readonly unknown[] {
  if (!deliver) throw new Error(`${name} does not deliver`);
  return inputs.map(({ type, key, event, sealed, position, source }) => {
    if (!deliver.events.includes(type)) return undefined;
    const { meta } = event as { readonly meta: { readonly id: string } };
    const shared = { key, position, ...source, origin: undefined, undecodable: undefined, sealed: null, opened: null };
    const opened = deliver.opens?.includes(type) ? sealed : null;
    const told = mapEvent(name, deliver, { ...shared, type, event, eventId: meta.id }, opened);
    if (told.kind === "park") throw new Error(told.reason.reason);
    return told.kind === "nothing" ? undefined : JSON.parse(told.parcel.json);
  });
}
