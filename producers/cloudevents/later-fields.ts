import type { Data } from "./read-form.js";

/**
 * Fields that events got after partners had begun to send them, with what stands where they are not said. Whoever sends an
 * event again that was sent before there was such a field says what was said then.
 */
const laterFields: Data = { identifiersComplete: false, currency: null };

/** Data as it was before its type had these fields, where none of them says anything: what names an event by its content. */
export const asBefore = (data: Data): Data =>
  Object.fromEntries(
    Object.entries(data).filter(([name, value]) => !(Object.hasOwn(laterFields, name) && laterFields[name] === value)),
  );
