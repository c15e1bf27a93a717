/** What `audit as-of --json` prints. */
export interface KnownThen {
  readonly schema: string;
  readonly manifest: {
    readonly offsets: Readonly<Record<string, number>>;
    readonly vaultEpoch: number | null;
    readonly tables: Readonly<
      Record<string, { readonly rows: number; readonly sha256: string; readonly restrictedSha256: string | null }>
    >;
  };
}
/** What `audit diff --json` prints. */
export interface Differences {
  readonly tables: Readonly<
    Record<
      string,
      {
        readonly rows: readonly {
          readonly change: string;
          readonly columns: Readonly<Record<string, readonly unknown[]>>;
          readonly events: readonly { readonly type: string }[];
        }[];
      }
    >
  >;
}
