/** What was refused once and is applied by now is told from what was refused when a unit translated again came. */
export const sql = `
ALTER TABLE engine.parked_keys ADD COLUMN mended boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN engine.parked_keys.mended IS 'Released by a retry or a skip: its key was folded as if it had never been held there. Else a unit translated again released it.';
`;
