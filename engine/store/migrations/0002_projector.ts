/** Builds of the read models, their checkpoints, and the keys held back. */
export const sql = `
CREATE TABLE engine.builds (
  projection text NOT NULL,
  build integer NOT NULL CHECK (build > 0),
  version integer NOT NULL,
  layout_hash text NOT NULL,
  views_hash text NOT NULL,
  views text[] NOT NULL DEFAULT '{}',
  schema_name text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('building', 'current', 'previous')),
  consumer text NOT NULL,
  consumer_role name NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  current_since timestamptz,
  PRIMARY KEY (projection, build)
);
CREATE UNIQUE INDEX builds_one_current ON engine.builds (projection) WHERE state = 'current';
COMMENT ON TABLE engine.builds IS 'Physical copies of read models. The views in projections and projections_restricted are on the current one.';
COMMENT ON COLUMN engine.builds.layout_hash IS 'Of tables, columns and keys: a change of them needs a new version of the projection.';
COMMENT ON COLUMN engine.builds.views_hash IS 'Of views and comments: a change of them makes the views anew.';

COMMENT ON COLUMN engine.builds.views IS 'Views made on it, in the order made; none unless it is current.';

CREATE TABLE engine.checkpoints (
  projection text NOT NULL,
  build integer NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  owner text NOT NULL,
  journal text,
  positions json NOT NULL DEFAULT '{}',
  recorded_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  consumer_role name NOT NULL,
  PRIMARY KEY (projection, build, topic, partition),
  FOREIGN KEY (projection, build) REFERENCES engine.builds ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE engine.checkpoints IS 'How far a build has come in a partition, in the same statement as its rows. epoch is the fence: who raised it last is the only writer.';
COMMENT ON COLUMN engine.checkpoints.journal IS 'Journal whose positions these are; null before the first event.';
COMMENT ON COLUMN engine.checkpoints.positions IS 'Highest position seen, by journal partition: [offset, index, event id]. What is not higher is a repetition.';
COMMENT ON COLUMN engine.checkpoints.recorded_at IS 'Latest recorded time among the events applied.';

CREATE TABLE engine.parked_keys (
  projection text NOT NULL,
  build integer NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  log_offset bigint NOT NULL,
  key text NOT NULL,
  position text,
  event_id text,
  event_type text,
  code text NOT NULL,
  reason text NOT NULL,
  state text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'retry', 'skip', 'done')),
  parked_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  consumer_role name NOT NULL,
  PRIMARY KEY (projection, build, topic, partition, log_offset),
  FOREIGN KEY (projection, build) REFERENCES engine.builds ON DELETE CASCADE
);
COMMENT ON TABLE engine.parked_keys IS 'Keys held back, each by the first event that could not be applied. Its later events wait in the log.';
COMMENT ON COLUMN engine.parked_keys.state IS 'retry and skip are requests; only the owner of the partition carries them out.';

CREATE TABLE engine.derived_tables (
  projection text NOT NULL,
  build integer NOT NULL,
  name text NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  owner text NOT NULL,
  vector json NOT NULL DEFAULT '{}',
  refreshed_at timestamptz,
  consumer_role name NOT NULL,
  PRIMARY KEY (projection, build, name),
  FOREIGN KEY (projection, build) REFERENCES engine.builds ON DELETE CASCADE
);
COMMENT ON TABLE engine.derived_tables IS 'Derived tables with the checkpoints they reflect: {topic: {partition: next offset}}.';

ALTER TABLE engine.builds ENABLE ROW LEVEL SECURITY;
ALTER TABLE engine.checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE engine.parked_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE engine.derived_tables ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_builds ON engine.builds FOR SELECT USING (consumer_role = current_user);
CREATE POLICY own_checkpoints ON engine.checkpoints
  USING (consumer_role = current_user) WITH CHECK (consumer_role = current_user);
CREATE POLICY own_parked_keys ON engine.parked_keys
  USING (consumer_role = current_user) WITH CHECK (consumer_role = current_user);
CREATE POLICY own_derived_tables ON engine.derived_tables
  USING (consumer_role = current_user) WITH CHECK (consumer_role = current_user);
`;
