/** What the notary keeps: a chain of every record's hash, and signed heads of the tree over it. */
export const sql = `
CREATE TABLE engine.notary_chain (
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (topic, partition, log_offset)
);
COMMENT ON TABLE engine.notary_chain IS 'One row a record of the log: SHA-256 of the hash before it and of the record (offset, append time, key, value, headers).';

CREATE TABLE engine.notary_checkpoints (
  topic text NOT NULL,
  partition integer NOT NULL,
  size bigint NOT NULL CHECK (size > 0),
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  signature bytea NOT NULL CHECK (octet_length(signature) = 64),
  signed_at timestamptz NOT NULL,
  public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
  PRIMARY KEY (topic, partition, size)
);
COMMENT ON TABLE engine.notary_checkpoints IS 'Signed heads of the Merkle tree (RFC 6962) whose leaves are the hashes of notary_chain. The same are written outside of the database.';
COMMENT ON COLUMN engine.notary_checkpoints.size IS 'Records in the tree: those with offsets below.';
COMMENT ON COLUMN engine.notary_checkpoints.signature IS 'Ed25519 over the checkpoint as text: origin, size, root, time.';

CREATE TABLE engine.notary_lanes (
  topic text NOT NULL,
  partition integer NOT NULL,
  journal text NOT NULL,
  next_offset bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  owner text NOT NULL,
  frontier bytea NOT NULL DEFAULT '',
  signed_size bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE engine.notary_lanes IS 'How far the notary has come in a partition, in the same statement as its hashes. epoch is the fence.';
COMMENT ON COLUMN engine.notary_lanes.frontier IS 'Full subtrees of the tree so far, largest first, 32 bytes each: all that is needed to go on.';

GRANT SELECT ON engine.notary_chain, engine.notary_checkpoints, engine.notary_lanes TO tributary_auditor;
`;
