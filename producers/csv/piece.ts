import type { Row } from "./row-reader.js";

/** What a piece of a file is; only rows are units. */
export type PieceKind =
  | "row"
  | "mark"
  | "separator"
  | "preamble"
  | "comment"
  | "blank"
  | "header"
  | "trailer"
  | "remainder"
  | "end";

/** A piece of a file. Every byte is in exactly one. */
export interface Piece {
  readonly kind: PieceKind;
  readonly bytes: Buffer;
  readonly offset: number;
  readonly line: number;
  /** Of rows and trailers. */
  readonly row: Row | null;
  /** Rows that it holds: several where these say nothing. */
  readonly rows: number;
}
