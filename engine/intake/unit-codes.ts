/** Codes of rejections that the intake itself decides; connectors have their own beside them. */
export const unitCodes = {
  /** The journal record would be over `INTAKE_UNIT_LIMIT`. */
  tooLarge: "UNIT_TOO_LARGE",
  /** An event would be over the event topics' limit. */
  eventTooLarge: "EVENT_TOO_LARGE",
  /** An event, or what is sealed in it, doesn't fit its schema. The location names event and field. */
  eventInvalid: "EVENT_INVALID",
} as const;

/** Flag of an entry that keeps only the first bytes of a unit over the limit. Hash and size are of the whole. */
export const truncatedFlag = "UNIT_TRUNCATED";
