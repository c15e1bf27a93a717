/** Partitions added while nobody was there to see it would have given keys to two lanes. */
export const sql = `
ALTER TABLE engine.checkpoints ADD COLUMN partitions integer;
COMMENT ON COLUMN engine.checkpoints.partitions IS 'How many partitions the topic had when the lane was opened; a topic with another number is refused. Null where nobody has looked yet.';
`;
