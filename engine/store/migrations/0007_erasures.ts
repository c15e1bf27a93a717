/** Erasures under way and done, so that one that was interrupted is carried on with its id and its reason. */
export const sql = `
CREATE TABLE engine.erasures (
  id uuid PRIMARY KEY,
  patient uuid NOT NULL,
  reason text NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  done_at timestamptz
);
CREATE UNIQUE INDEX erasures_open ON engine.erasures (patient) WHERE done_at IS NULL;
CREATE INDEX erasures_patient ON engine.erasures (patient);
COMMENT ON TABLE engine.erasures IS 'Patients whose keys are destroyed, and whose events about it are in the journal once done_at is set. The audit topic says the same.';
`;
