/** Schemas, roles, the vault, the publisher's checkpoints and counters, the ledger. */
export const sql = `
CREATE SCHEMA IF NOT EXISTS engine;
CREATE SCHEMA projections;
CREATE SCHEMA projections_restricted;
COMMENT ON SCHEMA engine IS 'What the engine keeps for itself; no analyst sees it.';
COMMENT ON SCHEMA projections IS 'Read models without what identifies a person.';
COMMENT ON SCHEMA projections_restricted IS 'Read models with what identifies a person.';

-- Roles belong to the whole server: another database may have made them, or may be making them now.
-- They may log in, but have no password until an operator gives one. Settings that an operator changed are kept.
DO $roles$
DECLARE
  role_name text;
  setting text[];
BEGIN
  FOREACH role_name IN ARRAY ARRAY['tributary_analyst', 'tributary_analyst_restricted', 'tributary_auditor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      BEGIN
        EXECUTE pg_catalog.format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role_name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
    END IF;
    FOREACH setting SLICE 1 IN ARRAY ARRAY[
      ['default_transaction_read_only', 'on'],
      ['statement_timeout', '60s'],
      ['lock_timeout', '5s'],
      ['idle_in_transaction_session_timeout', '60s'],
      ['idle_session_timeout', '1h']
    ] LOOP
      IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_roles, pg_catalog.unnest(rolconfig) AS given
        WHERE rolname = role_name AND pg_catalog.split_part(given, '=', 1) = setting[1]
      ) THEN
        EXECUTE pg_catalog.format('ALTER ROLE %I SET %I = %L', role_name, setting[1], setting[2]);
      END IF;
    END LOOP;
  END LOOP;
END
$roles$;

GRANT USAGE ON SCHEMA projections TO tributary_analyst, tributary_analyst_restricted, tributary_auditor;
GRANT USAGE ON SCHEMA projections_restricted TO tributary_analyst_restricted;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections
  GRANT SELECT ON TABLES TO tributary_analyst, tributary_analyst_restricted, tributary_auditor;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections_restricted GRANT SELECT ON TABLES TO tributary_analyst_restricted;

CREATE TABLE engine.vault_keys (
  subject uuid NOT NULL,
  generation integer NOT NULL CHECK (generation > 0),
  wrapped bytea,
  kek_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  destroyed_at timestamptz,
  destroyed_epoch bigint,
  PRIMARY KEY (subject, generation),
  CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL) AND (wrapped IS NULL) = (destroyed_epoch IS NOT NULL))
);
CREATE INDEX vault_keys_destroyed ON engine.vault_keys (destroyed_epoch) WHERE destroyed_epoch IS NOT NULL;
COMMENT ON TABLE engine.vault_keys IS 'Data keys, one living a subject, wrapped by the key-encryption key. A destroyed one keeps its row, so that its generation never comes again.';

CREATE TABLE engine.vault_epoch (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL
);
COMMENT ON TABLE engine.vault_epoch IS 'Counts destructions. Its row lock puts them in one order, so a reader that has seen an epoch has seen all below it.';
INSERT INTO engine.vault_epoch (epoch) VALUES (0);

CREATE TABLE engine.vault_grants (
  role name NOT NULL,
  event_type text NOT NULL,
  PRIMARY KEY (role, event_type)
);
COMMENT ON TABLE engine.vault_grants IS 'Which login role may open the sealed content of which event type.';

CREATE FUNCTION engine.vault_open(event_type text, subjects uuid[], generations integer[])
RETURNS TABLE (subject uuid, generation integer, wrapped bytea, kek_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $vault$
#variable_conflict use_column
BEGIN
  -- session_user is who logged in; current_user is this function's owner.
  IF NOT EXISTS (
    SELECT FROM engine.vault_grants AS granted
    WHERE granted.role = session_user AND granted.event_type = vault_open.event_type
  ) AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
    RAISE insufficient_privilege USING MESSAGE = 'this role may not open sealed content of this event type';
  END IF;
  RETURN QUERY
    SELECT kept.subject, kept.generation, kept.wrapped, kept.kek_id
    FROM unnest(subjects, generations) AS wanted (subject, generation)
    JOIN engine.vault_keys AS kept ON kept.subject = wanted.subject AND kept.generation = wanted.generation;
END
$vault$;
COMMENT ON FUNCTION engine.vault_open IS 'Wrapped keys of sealed events of a type, for roles in vault_grants only; null where a key was destroyed.';

CREATE FUNCTION engine.vault_destroyed(since bigint)
RETURNS TABLE (epoch bigint, subject uuid, generation integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $vault$
#variable_conflict use_column
BEGIN
  IF NOT EXISTS (SELECT FROM engine.vault_grants AS granted WHERE granted.role = session_user)
    AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
    RAISE insufficient_privilege USING MESSAGE = 'this role opens no sealed content';
  END IF;
  RETURN QUERY
    SELECT current.epoch, gone.subject, gone.generation
    FROM engine.vault_epoch AS current
    LEFT JOIN engine.vault_keys AS gone ON gone.destroyed_epoch > since;
END
$vault$;
COMMENT ON FUNCTION engine.vault_destroyed IS 'The epoch now, and the keys destroyed after the epoch given: what caches must forget. At least one row.';

CREATE FUNCTION engine.vault_destroy(subjects uuid[])
RETURNS TABLE (subject uuid, generation integer)
LANGUAGE plpgsql SET search_path = pg_catalog AS $vault$
#variable_conflict use_column
DECLARE
  now_epoch bigint;
BEGIN
  UPDATE engine.vault_epoch AS current SET epoch = current.epoch + 1 RETURNING current.epoch INTO now_epoch;
  RETURN QUERY
    UPDATE engine.vault_keys AS kept
    SET wrapped = NULL, destroyed_at = now(), destroyed_epoch = now_epoch
    WHERE kept.subject = ANY (subjects) AND kept.wrapped IS NOT NULL
    RETURNING kept.subject, kept.generation;
END
$vault$;
COMMENT ON FUNCTION engine.vault_destroy IS 'Destroys the living keys of subjects for good.';
REVOKE ALL ON FUNCTION engine.vault_open, engine.vault_destroyed, engine.vault_destroy FROM PUBLIC;

CREATE TABLE engine.publisher_checkpoints (
  journal text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  epoch bigint NOT NULL,
  owner text NOT NULL,
  last_recorded_at bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (journal, partition)
);
COMMENT ON TABLE engine.publisher_checkpoints IS 'Journal offset up to which events are published, with the fence of the lane that publishes. last_recorded_at is the recorded time of the entry before next_offset, epoch milliseconds.';

CREATE TABLE engine.intake_counts (
  journal text NOT NULL,
  partition integer NOT NULL,
  partner text NOT NULL,
  connector text NOT NULL,
  code text NOT NULL,
  units bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  resends bigint NOT NULL,
  reused_ids bigint NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (journal, partition, partner, connector, code)
);
COMMENT ON TABLE engine.intake_counts IS 'Units of the journal below the checkpoint. units = accepted + rejected; resends and reused_ids are among the accepted; code is empty for the accepted.';

CREATE TABLE engine.ledger (
  identity uuid PRIMARY KEY,
  partition integer NOT NULL,
  journal_offset bigint NOT NULL
);
COMMENT ON TABLE engine.ledger IS 'First position of every identity (keyed hash, 128 bits) that counts once for ever.';

CREATE TABLE engine.ledger_latest (
  resource uuid NOT NULL,
  partition integer NOT NULL,
  journal_offset bigint NOT NULL,
  content uuid NOT NULL,
  receipt_id text NOT NULL,
  PRIMARY KEY (resource, partition)
);
COMMENT ON TABLE engine.ledger_latest IS 'Last content below the checkpoint of resources where only an equal predecessor makes a resend.';

CREATE TABLE engine.control_ids (
  control_key uuid PRIMARY KEY,
  identity uuid NOT NULL,
  partition integer NOT NULL,
  journal_offset bigint NOT NULL
);
COMMENT ON TABLE engine.control_ids IS 'Identity that first came under a control id (keyed hash): finds ids used again for other content.';

GRANT USAGE ON SCHEMA engine TO tributary_auditor;
GRANT SELECT ON engine.publisher_checkpoints, engine.intake_counts TO tributary_auditor;
`;
