/** What a scope lets a client do with a type of resource: create, read, update, delete, search (SMART 2.2). */
export type Permission = "c" | "r" | "u" | "d" | "s";

interface Scope {
  readonly type: string;
  readonly permissions: string;
}

/** The words of SMART 1, which clients still use, in the letters of SMART 2. */
const words: Readonly<Record<string, string>> = { read: "rs", write: "cud", "*": "cruds" };

/**
 * Reads a system scope, `system/Patient.cu` or `system/*.write`. Letters must be in the order `cruds`.
 * @returns undefined for what is none: scopes of users, and those with a query, which nobody here judges.
 */
function readScope(scope: string): Scope | undefined {
  const [, type, said = ""] = /^system\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)$/.exec(scope) ?? [];
  return type === undefined || said === "" ? undefined : { type, permissions: words[said] ?? said };
}

/** Whether scopes allow a permission on a type; `*` asks for every type at once. */
export function permits(scopes: readonly string[], type: string, permission: Permission): boolean {
  return scopes.some((one) => {
    const scope = readScope(one);
    return scope !== undefined && [type, "*"].includes(scope.type) && scope.permissions.includes(permission);
  });
}

/** Whether a scope that is asked for lies within those that may be granted: by its letters, or as the same text. */
export function covers(granted: readonly string[], asked: string): boolean {
  const scope = readScope(asked);
  if (!scope) return granted.includes(asked);
  return [...scope.permissions].every((permission) => permits(granted, scope.type, permission as Permission));
}
