/** A topic that was made anew may be longer than what was read of the one before: offsets alone don't tell them apart. */
export const sql = `
ALTER TABLE engine.checkpoints ADD COLUMN last_record text;
COMMENT ON COLUMN engine.checkpoints.last_record IS 'Hash of the record before next_offset: tells a topic that was made anew from the one that was read. Null where it is not known.';
`;
