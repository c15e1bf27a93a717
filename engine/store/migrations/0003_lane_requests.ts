/** What operators ask of the owners of partitions, and what retrying a key needs to know. */
export const sql = `
CREATE TABLE engine.lane_requests (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  decision uuid NOT NULL,
  projection text NOT NULL,
  build integer NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  action text NOT NULL CHECK (action IN ('retry', 'skip', 'park')),
  reason text CHECK (reason <> ''),
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  state text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'decided', 'done', 'refused')),
  outcome text,
  carried_out_at timestamptz,
  consumer_role name NOT NULL,
  UNIQUE (decision, build),
  CHECK (action = 'retry' OR reason IS NOT NULL),
  FOREIGN KEY (projection, build) REFERENCES engine.builds ON DELETE CASCADE
);
CREATE INDEX lane_requests_open ON engine.lane_requests (projection, topic, partition)
  WHERE state IN ('requested', 'decided');
COMMENT ON TABLE engine.lane_requests IS 'What operators ask for about single events, one row a build. Only the owner of the partition carries it out.';
COMMENT ON COLUMN engine.lane_requests.decision IS 'The same in every build; also the id of the record in the audit topic.';
COMMENT ON COLUMN engine.lane_requests.state IS 'decided: the owner has taken it up behind its fence; it is in the audit topic, or about to be, and will be carried out whoever owns the partition.';
COMMENT ON COLUMN engine.lane_requests.outcome IS 'What came of it. A code where the key is parked again.';

ALTER TABLE engine.lane_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_lane_requests ON engine.lane_requests
  USING (consumer_role = current_user) WITH CHECK (consumer_role = current_user);

ALTER TABLE engine.parked_keys ADD COLUMN positions json;
COMMENT ON COLUMN engine.parked_keys.positions IS 'Highest journal positions seen up to the event, it included, like those of checkpoints: tells repetitions when the key is retried.';
ALTER TABLE engine.parked_keys DROP CONSTRAINT parked_keys_state_check;
ALTER TABLE engine.parked_keys ADD CONSTRAINT parked_keys_state_check CHECK (state IN ('parked', 'done'));
COMMENT ON COLUMN engine.parked_keys.state IS 'done: released. What operators ask for is in engine.lane_requests.';
`;
