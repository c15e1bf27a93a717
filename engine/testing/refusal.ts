import type { ProjectionBench } from "./projection-bench.js";

/** Rows of a build that Postgres alone refuses, whatever the fold says. */
export const refuse = ({ build, pool }: ProjectionBench) =>
  pool.query(
    `ALTER TABLE ${build.schema}.sayings ADD CONSTRAINT not_refused CHECK (said <> 'refused');
     ALTER TABLE ${build.schema}.acts ADD CONSTRAINT not_too_many CHECK (events < 1e15)`,
  );
/** No more. */
export const allow = ({ build, pool }: ProjectionBench) =>
  pool.query(
    `ALTER TABLE ${build.schema}.sayings DROP CONSTRAINT not_refused;
     ALTER TABLE ${build.schema}.acts DROP CONSTRAINT not_too_many`,
  );
