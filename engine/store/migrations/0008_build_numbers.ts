/** A number names one build for ever: what was said about a build that was dropped is never about another. */
export const sql = `
CREATE TABLE engine.build_numbers (
  projection text PRIMARY KEY,
  last integer NOT NULL
);
COMMENT ON TABLE engine.build_numbers IS 'The last number given to a build of a projection, whether or not that build is still there.';
INSERT INTO engine.build_numbers SELECT projection, pg_catalog.max(build) FROM engine.builds GROUP BY projection;
`;
