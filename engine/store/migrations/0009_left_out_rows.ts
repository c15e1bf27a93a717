/** What a derived table could not hold, so that it goes on with the rest and says so. */
export const sql = `
ALTER TABLE engine.derived_tables ADD COLUMN left_out integer NOT NULL DEFAULT 0, ADD COLUMN left_out_why text;
COMMENT ON COLUMN engine.derived_tables.left_out IS 'Rows that the table could not hold when it was last refreshed.';
COMMENT ON COLUMN engine.derived_tables.left_out_why IS 'Why the first of them is left out: column and reason, without the value.';
`;
