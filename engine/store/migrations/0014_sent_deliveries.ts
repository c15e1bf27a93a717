/** An attempt by which nothing came out is no disclosure: what rows of before don't tell counts as sent. */
export const sql = `
ALTER TABLE engine.deliveries ADD COLUMN sent boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN engine.deliveries.sent IS 'Whether the partner may have been sent any of it: false where at every attempt so far no connection came about.';
`;
