/** Roots of the full subtrees that are worth keeping, so that a proof reads a few of them in place of the whole chain. */
export const sql = `
CREATE TABLE engine.notary_subtrees (
  topic text NOT NULL,
  partition integer NOT NULL,
  level integer NOT NULL CHECK (level > 0),
  first_offset bigint NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (topic, partition, level, first_offset)
);
COMMENT ON TABLE engine.notary_subtrees IS 'Roots of full subtrees of 1,024 records and more (RFC 6962), kept so that a proof need not read the whole chain. What is missing or wrong here is computed from notary_chain.';
COMMENT ON COLUMN engine.notary_subtrees.level IS 'The subtree has 2^level records.';
COMMENT ON COLUMN engine.notary_subtrees.first_offset IS 'Offset of its first record.';

GRANT SELECT ON engine.notary_subtrees TO tributary_auditor;
`;
