/** Who feeds a build: a rebuild fills one before its consumer takes it up. */
export const sql = `
ALTER TABLE engine.builds ADD COLUMN feed text NOT NULL DEFAULT 'consumer' CHECK (feed IN ('consumer', 'rebuild', 'nobody'));
ALTER TABLE engine.builds ADD COLUMN indexed boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN engine.builds.feed IS 'Whose lanes write it. rebuild: the command that fills it. nobody: it is about to be dropped.';
COMMENT ON COLUMN engine.builds.indexed IS 'Whether its tables have their keys and indexes yet: without them they can only be filled.';
`;
