/** Partitions added while the publisher was down would move keys: a key's events would be in two partitions, in no order. */
export const sql = `
CREATE TABLE engine.topic_partitions (
  topic text PRIMARY KEY,
  keyed integer NOT NULL CHECK (keyed > 0),
  present integer NOT NULL,
  CHECK (present >= keyed)
);
COMMENT ON TABLE engine.topic_partitions IS 'Partitions of a topic as its writers know them: a topic with another number is refused.';
COMMENT ON COLUMN engine.topic_partitions.keyed IS 'Over how many of them keys are spread, since the topic was first written to.';
COMMENT ON COLUMN engine.topic_partitions.present IS 'How many there are, as an operator last accepted it; those beyond keyed stay empty.';
GRANT SELECT ON engine.topic_partitions TO tributary_auditor;
INSERT INTO engine.topic_partitions (topic, keyed, present)
SELECT topic, max(partitions), max(partitions) FROM engine.checkpoints WHERE partitions IS NOT NULL GROUP BY topic;
`;
