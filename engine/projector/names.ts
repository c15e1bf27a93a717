import { TributaryError } from "../service/errors.js";

/** Names inside Postgres. All come from checked definitions; they are quoted all the same. */

/** An identifier as SQL writes it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
/** A text constant as SQL writes it (standard_conforming_strings is on). */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Schema of one physical copy of a projection's tables. */
export const buildSchema = (projection: string, build: number): string => `build_${projection}_${build}`;

/** Schema of the views of an as-of. */
export const asOfSchema = (projection: string, build: number): string => `as_of_${projection}_${build}`;

/** Roles of the same beginning that are no consumer's. */
const taken = /^(analyst|analyst_restricted|auditor|publisher|connector_.*)$/;

/**
 * The Postgres role of a consumer, `tributary_<name>`, dashes as underscores.
 * @throws TRIB_PROJECT_DEFINITION_INVALID when the name can't be a role's, or is the role of someone else.
 */
export function consumerRole(consumer: string): string {
  const name = consumer.replaceAll("-", "_");
  if (!/^[a-z][a-z0-9_]{0,50}$/.test(name) || taken.test(name)) {
    throw new TributaryError(
      "TRIB_PROJECT_DEFINITION_INVALID",
      `Consumer ${consumer}: the name is lower case letters, digits and dashes, at most 51, and not the role of someone else (analyst, auditor, publisher, connector-…).`,
    );
  }
  return `tributary_${name}`;
}
