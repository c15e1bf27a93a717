/** The database as commands show it to people, and how a client of Postgres is given the whole address. */
export interface DatabaseAddress {
  /** Without its password. */
  readonly shown: string;
  /** What to put behind `psql` in a shell: it has no password either. */
  readonly psql: string;
  /** Where the whole address is, in words. */
  readonly whole: string;
}

/** An address of Postgres without its password. */
export function maskedUrl(databaseUrl: string): string {
  if (!/^postgres(ql)?:/.test(databaseUrl) || !URL.canParse(databaseUrl)) return "…";
  const url = new URL(databaseUrl);
  for (const name of [...url.searchParams.keys()]) if (/pass/i.test(name)) url.searchParams.set(name, "_");
  const { username, hostname, port, pathname, search, protocol } = url;
  const who = url.password === "" ? username : `${username}:…`;
  return `${protocol}//${who}${who === "" ? "" : "@"}${hostname}${port === "" ? "" : `:${port}`}${pathname}${search}`;
}

const inQuotes = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * @param file that has the whole address, where the stack or the settings name one.
 * @param given names of the variables that were set when the command was called.
 */
export function databaseAddress(databaseUrl: string, file: string | null, given: ReadonlySet<string>): DatabaseAddress {
  const shown = maskedUrl(databaseUrl);
  if (file !== null) return { shown, psql: `"$(cat ${inQuotes(file)})"`, whole: `the whole address is in ${file}` };
  if (given.has("DATABASE_URL"))
    return { shown, psql: '"$DATABASE_URL"', whole: "the whole address is what DATABASE_URL says" };
  return { shown, psql: "", whole: "the password is what the PG* variables say" };
}
