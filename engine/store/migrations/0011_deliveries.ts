/** Deliveries to partners. What a delivering consumer keeps a checkpoint under is a build without tables. */
export const sql = `
ALTER TABLE engine.builds DROP CONSTRAINT builds_feed_check;
ALTER TABLE engine.builds ADD CONSTRAINT builds_feed_check CHECK (feed IN ('consumer', 'rebuild', 'as-of', 'nobody', 'delivery'));
COMMENT ON COLUMN engine.builds.feed IS 'Whose lanes write it. rebuild: the command that fills it. as-of: it stops at a past moment, and is never shown as the projection. nobody: it is about to be dropped. delivery: no read model, but what a delivering consumer has its checkpoints and parked keys under; it has no schema.';

CREATE TABLE engine.deliveries (
  event_id text NOT NULL,
  consumer text NOT NULL,
  delivery_id uuid NOT NULL,
  destination text NOT NULL,
  event_type text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('delivered', 'waiting', 'refused', 'unanswered')),
  attempts integer NOT NULL CHECK (attempts > 0),
  opened boolean NOT NULL,
  first_attempt_at timestamptz NOT NULL,
  last_attempt_at timestamptz NOT NULL,
  response_code integer,
  body_sha256 bytea NOT NULL CHECK (octet_length(body_sha256) = 32),
  consumer_role name NOT NULL,
  PRIMARY KEY (event_id, consumer)
);
CREATE INDEX deliveries_place ON engine.deliveries (topic, partition, log_offset);
ALTER TABLE engine.deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_deliveries ON engine.deliveries USING (consumer_role = current_user) WITH CHECK (consumer_role = current_user);
CREATE POLICY read_deliveries ON engine.deliveries FOR SELECT TO tributary_auditor USING (true);
GRANT SELECT ON engine.deliveries TO tributary_auditor;
COMMENT ON TABLE engine.deliveries IS 'What was sent to partners, one row an event and consumer, written with the checkpoint that passes it. Nothing in it identifies a person.';
COMMENT ON COLUMN engine.deliveries.delivery_id IS 'The same at every attempt: receivers drop repetitions by it.';
COMMENT ON COLUMN engine.deliveries.destination IS 'Kind and origin of the address, without path.';
COMMENT ON COLUMN engine.deliveries.opened IS 'Whether content that identifies people was opened for it.';
COMMENT ON COLUMN engine.deliveries.status IS 'waiting: attempts failed, and it is tried again; the partner may have it. refused: the partner will not have it, and its key is parked. unanswered: the partner was waited for as long as the settings say, and its key is parked; it may have it.';
COMMENT ON COLUMN engine.deliveries.body_sha256 IS 'SHA-256 of the body of the last attempt. Where content was opened the body has a nonce that only the destination can make, so that nobody tries out what was in it.';
`;
