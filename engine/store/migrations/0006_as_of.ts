/** As-ofs: builds that stop at a past moment, shown in schemas of their own. */
export const sql = `
ALTER TABLE engine.builds DROP CONSTRAINT builds_feed_check;
ALTER TABLE engine.builds ADD CONSTRAINT builds_feed_check CHECK (feed IN ('consumer', 'rebuild', 'as-of', 'nobody'));
COMMENT ON COLUMN engine.builds.feed IS 'Whose lanes write it. rebuild: the command that fills it. as-of: it stops at a past moment, and is never shown as the projection. nobody: it is about to be dropped.';

CREATE TABLE engine.as_ofs (
  schema_name text PRIMARY KEY,
  projection text NOT NULL,
  build integer NOT NULL,
  known_at timestamptz NOT NULL,
  effective_at timestamptz,
  made_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  made_by text NOT NULL,
  manifest jsonb NOT NULL,
  FOREIGN KEY (projection, build) REFERENCES engine.builds ON DELETE CASCADE
);
COMMENT ON TABLE engine.as_ofs IS 'Read models as they were known at a past moment, with their signed manifests. A build without a row here was not finished.';
GRANT SELECT ON engine.as_ofs TO tributary_auditor;
`;
