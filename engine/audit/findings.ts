/** Something that is not as the notary saw it, at its first place. */
export interface Finding {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the first record that it can be about. */
  readonly offset: number;
  readonly what:
    | "record changed"
    | "record missing"
    | "record unreadable"
    | "chain changed"
    | "chain missing"
    | "checkpoint not ours"
    | "checkpoint contradicts"
    | "checkpoint unreadable"
    | "checkpoint missing";
  /** In plain words, for who reads the report; names no content. */
  readonly detail: string;
}

/** A record that the notary has not chained. */
export interface UnseenRecord {
  readonly offset: number;
  /** Epoch milliseconds, by the broker's clock. */
  readonly appendedAt: number;
}

/** What was compared of a partition. */
export interface PartitionReport {
  readonly topic: string;
  readonly partition: number;
  /** In the log when it was read. */
  readonly records: number;
  /** Of these, chained by the notary and compared. */
  readonly chained: number;
  /** Of these, under a valid signature. */
  readonly signed: number;
  /** Of these, under a valid signature that is kept outside of the database. */
  readonly witnessed: number;
  /** The first record that the notary has not chained; null for none. Looked for where the log is as the notary saw it. */
  readonly unseen: UnseenRecord | null;
  /** First the one that tells most. */
  readonly findings: readonly Finding[];
}

export interface AuditReport {
  /** Something was compared, and is as the notary saw it. */
  readonly ok: boolean;
  /** In the log. */
  readonly records: number;
  /** Of these, compared. With none, nothing is known of any. */
  readonly compared: number;
  /**
   * The oldest record that the notary has not chained although it had time to: it does not run, or stands still, and of what
   * comes after nothing is known. Null for none.
   */
  readonly behind: ({ readonly topic: string; readonly partition: number } & UnseenRecord) | null;
  /** The first record that is not as it was, in the order of topics, partitions and offsets; else the first finding. */
  readonly first: Finding | null;
  /** Fingerprints of the keys whose signatures were taken. */
  readonly keys: readonly string[];
  readonly partitions: readonly PartitionReport[];
}
