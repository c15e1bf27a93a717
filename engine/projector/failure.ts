import { TributaryError } from "../service/errors.js";

/**
 * What a failed statement means.
 * refused: the data; it will never be written. again: certainly not written, may be next time. doubt: may have been
 * written. wrong: neither data nor weather; a human has to look.
 */
export type Failure =
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "again" | "doubt" | "wrong"; readonly code: string };

/** Classes of SQLSTATE that speak of the data: data exception, integrity constraint, program limit exceeded. */
const dataClasses = new Set(["22", "23", "54"]);
/** Serialization failure, deadlock, lock not available. */
const againCodes = new Set(["40001", "40P01", "55P03"]);

export function failureOf(error: unknown): Failure {
  if (error instanceof TributaryError)
    return { kind: error.definition.retriable ? "doubt" : "wrong", code: error.code };
  const code = (error as { code?: unknown } | null)?.code;
  // The pool gives every failure of a connection a code of ours: an error without any is a mistake in this program.
  if (typeof code !== "string") return { kind: "wrong", code: "none" };
  if (!/^[0-9A-Z]{5}$/.test(code)) return { kind: "doubt", code };
  if (againCodes.has(code)) return { kind: "again", code };
  if (dataClasses.has(code.slice(0, 2))) return { kind: "refused", code };
  return { kind: /^(08|53|57)/.test(code) ? "doubt" : "wrong", code };
}
