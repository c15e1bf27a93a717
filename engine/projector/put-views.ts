import { TributaryError } from "../service/errors.js";
import { literal } from "./names.js";
import type { MadeViews } from "./views.js";

const array = (texts: readonly string[]) => `ARRAY[${texts.map(literal).join(", ")}]::text[]`;

/**
 * Own views that stand on a view, found by `target`, go before it does, the last made first; what others may do with them is
 * noted. The variables are those of {@link putViews}.
 */
const dropWithOwn = `
  FOR place IN REVERSE cardinality(before) .. 1 LOOP
    IF to_regclass(before[place]) IS NOT NULL AND EXISTS (
      WITH RECURSIVE standing (oid) AS (
        SELECT to_regclass(target)::oid
        UNION
        SELECT rule.ev_class FROM standing
        JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = standing.oid AND classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite rule ON rule.oid = objid
      ) SELECT FROM standing WHERE oid = to_regclass(before[place])
    ) THEN
      IF before[place] = ANY (names) THEN
        grants := grants || ARRAY(
          SELECT format('GRANT %s ON %s TO %s%s', privilege_type, before[place],
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
            CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass(before[place]) AND grantee <> relowner
          UNION ALL
          SELECT format('GRANT %s (%I) ON %s TO %s', privilege_type, attname, before[place],
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
          FROM pg_attribute, aclexplode(attacl) WHERE attrelid = to_regclass(before[place]));
      END IF;
      EXECUTE 'DROP VIEW ' || before[place];
    END IF;
  END LOOP;`;

/**
 * SQL that puts the views of a projection in the place of those that are there; part of a transaction. A view is replaced as
 * it stands where its columns allow that: what others built on it and may do with it stays. Else it is made anew, with the
 * grants of others; and where views of others stand on it, new columns come after the old ones, if all of these are left.
 *
 * @param before names of the views that are there, in the order in which they were made.
 * @throws (when run) SQLSTATE 2BP01 when views of others stand on one whose columns go or change: see {@link dependedOn}.
 */
export function putViews(views: MadeViews, before: readonly string[]): readonly string[] {
  const made = (replaces: boolean) =>
    views.parts.map(({ name, select }) => `CREATE ${replaces ? "OR REPLACE " : ""}VIEW ${name} AS ${select}`);
  const columns = views.parts.map((part) => part.columns.join(","));
  const body = `
DECLARE
  before text[] := ${array(before)};
  names text[] := ${array(views.names)};
  selects text[] := ${array(views.parts.map(({ select }) => select))};
  replacing text[] := ${array(made(true))};
  making text[] := ${array(made(false))};
  columns text[] := ${array(columns)};
  grants text[] := '{}';
  target text; standing_on text; granted text; place int;
BEGIN
  FOR number IN 1 .. cardinality(names) LOOP
    target := names[number];
    IF NOT target = ANY (before) OR to_regclass(target) IS NULL THEN
      EXECUTE making[number];
      CONTINUE;
    END IF;
    BEGIN
      EXECUTE replacing[number];
    EXCEPTION WHEN invalid_table_definition THEN
      BEGIN
        ${dropWithOwn}
        EXECUTE making[number];
      EXCEPTION WHEN dependent_objects_still_exist THEN
        GET STACKED DIAGNOSTICS standing_on = PG_EXCEPTION_DETAIL;
        BEGIN
          -- Those that are there first, in their order: Postgres lets columns be added at the end.
          EXECUTE format('CREATE OR REPLACE VIEW %s AS SELECT %s FROM (%s) AS made', target, (
            SELECT string_agg(format('%I', name), ', ' ORDER BY old.attnum NULLS LAST, ordinality)
            FROM unnest(string_to_array(columns[number], ',')) WITH ORDINALITY AS wanted (name, ordinality)
            LEFT JOIN pg_attribute old ON attrelid = to_regclass(target) AND attnum > 0 AND attname = name
          ), selects[number]);
        EXCEPTION WHEN invalid_table_definition THEN
          RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE = 'views of others stand on ' || target, DETAIL = standing_on;
        END;
      END;
    END;
  END LOOP;
  -- Those that are no more.
  FOR place IN REVERSE cardinality(before) .. 1 LOOP
    IF NOT before[place] = ANY (names) THEN EXECUTE 'DROP VIEW IF EXISTS ' || before[place]; END IF;
  END LOOP;
  FOREACH granted IN ARRAY grants LOOP
    BEGIN
      EXECUTE granted;
    EXCEPTION WHEN undefined_column THEN NULL;
    END;
  END LOOP;
END`;
  return [`DO ${literal(body)}`, ...views.statements.filter((statement) => !statement.startsWith("CREATE VIEW "))];
}

/** The coded error when views of others stand in the way, else undefined. Postgres names them. */
export function dependedOn(error: unknown, projection: string): TributaryError | undefined {
  const { code, message, detail } = error as { code?: unknown; message?: string; detail?: string };
  if (code !== "2BP01") return undefined;
  return new TributaryError(
    "TRIB_PROJECT_VIEWS_DEPENDED",
    `The views of ${projection} can't change: ${message}${detail ? ` (${detail.replaceAll("\n", "; ")})` : ""}.`,
    { projection },
    { cause: error },
  );
}
