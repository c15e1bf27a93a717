import { createHash } from "node:crypto";
import { ArrayParameter, type ElementType } from "./array-parameter.js";
import type { Build } from "./build.js";
import type { Changes } from "./changes.js";
import type { Slot } from "./entity.js";
import type { ProjectionLayout } from "./layout.js";
import { literal } from "./names.js";
import {
  type ParkedRow,
  type PartLayout,
  parkedPart,
  refusalPart,
  releasedPart,
  tableParts,
} from "./statement-parts.js";

/** What a lane wants written: the checkpoint's move and all that goes with it. */
export interface Write {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  /** Offset the checkpoint must have, and the one it gets. */
  readonly first: number;
  readonly next: number;
  readonly journal: string | null;
  readonly positions: string;
  /** Fingerprint of the record before `next`; null where it is not known. */
  readonly lastRecord: string | null;
  /** Latest recorded time among the events, epoch milliseconds; null when there were only repetitions. */
  readonly recordedAt: number | null;
  readonly changes: Changes;
  readonly parked: readonly ParkedRow[];
  /** Events of keys held already that Postgres refused. */
  readonly refusals: readonly ParkedRow[];
  /** Keys held before, and no more. */
  readonly released: readonly string[];
}

/** A {@link Write} as it was when it was encoded: the rows themselves go on changing with the next events. */
export interface EncodedWrite {
  readonly write: Omit<Write, "changes">;
  /** Rows in all parts, and the bytes they take. */
  readonly rows: number;
  readonly bytes: number;
  /** By the part's number, the columns of those that have any. */
  readonly parts: ReadonlyMap<number, readonly ArrayParameter[]>;
}

/** A statement ready to be sent. It gives the ordinals, from 1, of the writes whose lane was behind its fence. */
export interface PreparedStatement {
  /** Name it is prepared under. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

interface LaneColumn {
  readonly name: string;
  readonly element: ElementType;
  readonly fill: (into: ArrayParameter, write: EncodedWrite["write"]) => void;
}

const laneColumns: readonly LaneColumn[] = [
  { name: "topic", element: "text", fill: (into, { topic }) => into.text(topic) },
  { name: "partition", element: "integer", fill: (into, { partition }) => into.integer(partition) },
  { name: "epoch", element: "bigint", fill: (into, { epoch }) => into.bigint(epoch) },
  { name: "first", element: "bigint", fill: (into, { first }) => into.bigint(first) },
  { name: "next", element: "bigint", fill: (into, { next }) => into.bigint(next) },
  {
    name: "journal",
    element: "text",
    fill: (into, { journal }) => (journal === null ? into.null() : into.text(journal)),
  },
  { name: "positions", element: "text", fill: (into, { positions }) => into.text(positions) },
  {
    name: "recorded_at",
    element: "timestamptz",
    fill: (into, { recordedAt }) => (recordedAt === null ? into.null() : into.timestamptz(recordedAt)),
  },
  {
    name: "last_record",
    element: "text",
    fill: (into, { lastRecord }) => (lastRecord === null ? into.null() : into.text(lastRecord)),
  },
];

const laneParameter = (name: string) => {
  const index = laneColumns.findIndex((column) => column.name === name);
  return `$${index + 1}::${laneColumns[index]?.element}[]`;
};

/** The lanes' moves, each behind its own fence: who raised the epoch last is the only one that may move a checkpoint. */
function fenceText(layout: ProjectionLayout, build: Build): string {
  const names = laneColumns.map(({ name }) => `"${name}"`).join(", ");
  return `fence AS (UPDATE engine.checkpoints AS c SET next_offset = g."next", journal = g.journal, positions = g.positions::json, last_record = g.last_record, recorded_at = greatest(c.recorded_at, g.recorded_at), updated_at = now() FROM unnest(${laneColumns.map(({ name }) => laneParameter(name)).join(", ")}) WITH ORDINALITY AS g (${names}, lane) WHERE c.projection = ${literal(layout.name)} AND c.build = ${build.build} AND c.topic = g.topic AND c.partition = g.partition AND c.epoch = g.epoch AND c.next_offset = g."first" RETURNING g.lane)`;
}

/**
 * The one statement that writes a build: for each lane in it checkpoint, rows and parked keys, all or nothing, only behind
 * the lane's fence. It has only the parts that have rows, and is prepared once for each choice of parts.
 */
export class WriteStatements {
  readonly #layout: ProjectionLayout;
  readonly #fence: string;
  readonly #parts: readonly PartLayout<never>[];
  readonly #tables: readonly { readonly keyed: boolean; readonly first: number }[];
  readonly #released: number;
  readonly #texts = new Map<string, { readonly name: string; readonly text: string }>();
  /** Bytes a row took last time, by part and column. */
  readonly #rowBytes: number[][];

  constructor(layout: ProjectionLayout, build: Build) {
    this.#layout = layout;
    this.#fence = fenceText(layout, build);
    const parts: PartLayout<never>[] = [parkedPart(layout, build), refusalPart(layout, build)];
    this.#tables = layout.tables.map((table) => {
      const first = parts.length;
      parts.push(...Object.values(tableParts(table, build)));
      return { keyed: table.kind === "keyed", first };
    });
    this.#released = parts.length;
    parts.push(releasedPart(layout, build));
    this.#parts = parts;
    this.#rowBytes = parts.map(({ columns }) => columns.map(() => 0));
  }

  /** Encodes a lane's changes as they are now, and takes them for written: see {@link Slot}. */
  encode({ changes, ...write }: Write): EncodedWrite {
    const parts = new Map<number, readonly ArrayParameter[]>();
    let [rows, bytes] = [0, 0];
    const add = <Item>(part: number, items: readonly Item[]) => {
      if (items.length === 0) return;
      rows += items.length;
      const encoded = this.#encodePart(part, items);
      for (const { size } of encoded) bytes += size;
      parts.set(part, encoded);
    };
    add(0, write.parked);
    add(1, write.refusals);
    add(this.#released, write.released);
    this.#tables.forEach(({ keyed, first }, table) => {
      if (!keyed) {
        const summed = changes.summed[table];
        if (summed && summed.size > 0) add(first, [...summed.values()]);
        add(first, changes.appended[table] ?? []);
        add(first + 1, [...(changes.withdrawn[table] ?? [])]);
        return;
      }
      const [inserts, puts, removes]: [Slot[], Slot[], Slot[]] = [[], [], []];
      for (const slot of changes.keyed[table] ?? []) {
        if (slot.row) (slot.stored ? puts : inserts).push(slot);
        else if (slot.stored) removes.push(slot);
      }
      add(first, inserts);
      add(first + 1, puts);
      add(first + 2, removes);
      add(first + 3, changes.history[table] ?? []);
      add(first + 4, changes.mended[table] ?? []);
      add(first + 5, changes.unmade[table] ?? []);
      for (const slot of changes.keyed[table] ?? []) {
        slot.dirty = false;
        slot.stored = slot.row !== undefined;
        if (!slot.row) slot.owner?.removeSlot(table, slot.rest);
      }
    });
    return { write, rows, bytes, parts };
  }

  #encodePart(part: number, items: readonly unknown[]): readonly ArrayParameter[] {
    const { columns } = this.#parts[part] as PartLayout<unknown>;
    const sizes = this.#rowBytes[part] as number[];
    return columns.map(({ parameter, fill }, index) => {
      const filled = parameter(Math.ceil((sizes[index] as number) * items.length * 1.1));
      for (let item = 0; item < items.length; item++) fill(filled, items[item]);
      sizes[index] = filled.size / items.length;
      return filled;
    });
  }

  /** @param writes of different lanes, not used any more afterwards unless the statement failed. */
  statement(writes: readonly EncodedWrite[]): PreparedStatement {
    const present = this.#parts.map((_, part) => part).filter((part) => writes.some(({ parts }) => parts.has(part)));
    const key = present.join();
    let text = this.#texts.get(key);
    if (!text) {
      text = this.#textOf(present);
      this.#texts.set(key, text);
    }
    const values: Buffer[] = laneColumns.map(({ element, fill }) => {
      const parameter = new ArrayParameter(element);
      for (const { write } of writes) fill(parameter, write);
      return ArrayParameter.joined([parameter]);
    });
    for (const part of present) {
      const ordinals = new ArrayParameter("integer");
      const encoded = writes.flatMap(({ parts }, lane) => {
        const columns = parts.get(part);
        for (let row = columns?.[0]?.count ?? 0; row > 0; row--) ordinals.integer(lane + 1);
        return columns ? [columns] : [];
      });
      values.push(ArrayParameter.joined([ordinals]));
      const { columns } = this.#parts[part] as PartLayout<never>;
      columns.forEach((_, column) => {
        values.push(ArrayParameter.joined(encoded.map((each) => each[column] as ArrayParameter)));
      });
    }
    return { ...text, values };
  }

  #textOf(present: readonly number[]): { readonly name: string; readonly text: string } {
    let parameter = laneColumns.length;
    const lane = { topic: `(${laneParameter("topic")})[u.lane]`, partition: `(${laneParameter("partition")})[u.lane]` };
    const statements = present.map((part) => {
      const { columns, sql } = this.#parts[part] as PartLayout<never>;
      // Functions in the list of a SELECT give their rows in step, one at a time. In FROM each would be stored first.
      const given = [`unnest($${++parameter}::integer[]) AS lane`].concat(
        columns.map(({ type }, index) => `unnest($${++parameter}::${type}) AS c${index}`),
      );
      const from = `(SELECT * FROM (SELECT ${given.join(", ")}) AS given WHERE lane IN (SELECT lane FROM fence)) AS u`;
      return `w${part} AS (${sql(
        columns.map((_, index) => `u.c${index}`),
        from,
        lane,
      )})`;
    });
    const text = `WITH ${[this.#fence, ...statements].join(", ")} SELECT lane::integer FROM fence`;
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 24);
    return { name: `write_${hash}`, text };
  }

  /** Name of the projection, for logs. */
  get projection(): string {
    return this.#layout.name;
  }
}
