import { text } from "../../engine/projector/definition.js";

/** The column of a currency. Amounts of two currencies are never to be added. */
export const currency = (of: string) =>
  text(
    `Currency ${of} (ISO 4217), as its sender or the sender's profile says; null where neither does: US dollars in X12.`,
  );
