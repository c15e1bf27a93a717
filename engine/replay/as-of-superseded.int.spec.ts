import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differencesOf } from "../audit/as-of-diff.js";
import { explained } from "../audit/diff-events.js";
import { notAppliedIn } from "../audit/held-back.js";
import { standaloneCodec } from "../log/codec.js";
import { openJournal } from "../log/genesis.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { journalTopic } from "../log/schemas.js";
import { ensureBuild } from "../projector/build.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { keyOf, type Note, notes, topic } from "../testing/notes.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import { buildAsOf, dropAsOf } from "./as-of.js";

const codec = standaloneCodec();
const january = Date.UTC(2026, 0, 31, 23, 30);
const february = Date.UTC(2026, 1, 1, 0, 30);
const endOfJanuary = Date.UTC(2026, 0, 31, 23, 59, 59);
/** Units in the journal: one that stays, one translated wrongly, its translation made again. */
const said: readonly { readonly note: Note; readonly time: number; readonly again?: number }[] = [
  { note: { act: "line", value: "stays" }, time: january },
  { note: { act: "set", value: "wrong" }, time: january },
  { note: { act: "set", value: "right" }, time: february, again: 2 },
];

let own: OwnTopics;
let database: FreshDatabase;
/** When each unit was recorded. */
let times: number[];

beforeAll(async () => {
  [own, database] = await Promise.all([ownTopics(), freshDatabase()]);
  await own.create(journalTopic, 1, { "message.timestamp.type": "LogAppendTime" });
  await own.create(topic, 1);
  const journal = await openJournal(own.log, codec);
  const producer = await own.log.producer();
  for (const _ of said) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await producer.append([{ topic: journalTopic, partition: 0, key: "feed", value: Buffer.from([0]) }]);
  }
  times = [];
  for await (const records of own.log.read(journalTopic, 0, 1, 1 + said.length)) {
    times.push(...records.map(({ timestamp }) => timestamp));
  }
  const events = recorded(
    said.map(({ note, time, again }) => ({
      type: "VisitUpdated" as const,
      key: keyOf(1),
      time,
      fields: { facility: JSON.stringify(note), authority: "spec" },
      ...(again ? { meta: { generation: 1, origin: { journal, partition: 0, offset: again } as never } } : {}),
    })),
  );
  await producer.append(
    events.map(({ key, event, position }, unit) => ({
      topic,
      partition: 0,
      key,
      value: codec.encodeEvent("VisitUpdated", event as never),
      headers: { [positionHeader]: formatPosition({ ...position, journal, recordedAt: times[unit] as number }) },
    })),
  );
  await producer.close();
  await ensureBuild(database.pool, notes, "notes");
  await database.pool.query(
    `INSERT INTO engine.publisher_checkpoints (journal, partition, next_offset, epoch, owner, last_recorded_at)
     VALUES ($1, 0, $2, 1, 'spec', 0)`,
    [journal, 1 + said.length],
  );
});

afterAll(async () => {
  await own?.dispose();
  await database?.drop();
});

const source = {
  projection: notes,
  decoder: { decodeEvent: (value: Buffer) => codec.decodeEvent(value), learn: async () => {} },
  opener: closedOpener,
};

const asOf = (at: number, effectiveAt?: number) =>
  buildAsOf({
    ...source,
    consumer: { name: "notes", project: [notes] },
    log: own.log,
    pool: database.pool,
    logger: createLogger("spec", "silent"),
    decisionLog: memoryDecisions([]),
    at,
    effectiveAt,
    clockSkew: 0,
  });

async function known(at: number, effectiveAt?: number) {
  const { pool } = database;
  const then = await asOf(at, effectiveAt);
  try {
    const { rows: now } = await pool.query<{ note: string }>(`SELECT note FROM "${then.schema}".notes`);
    const { rows: acts } = await pool.query<{ act: string }>(
      `SELECT act FROM "${then.schema}".acts WHERE events <> 0 ORDER BY 1`,
    );
    const { rows: all } = await pool.query<{ act: string }>(`SELECT act FROM "${then.schema}".history ORDER BY 1`);
    const { rows: lines } = await pool.query<{ line: string }>(`SELECT line FROM "${then.schema}".note_lines`);
    const actsOf = (rows: readonly { act: string }[]) => rows.map(({ act }) => act);
    return {
      notes: now.map(({ note }) => note),
      lines: lines.map(({ line }) => line),
      acts: actsOf(acts),
      all: actsOf(all),
      parked: then.parkedKeys,
    };
  } finally {
    await dropAsOf(pool, then);
  }
}

/** Rows of notes that differ between two units, with the events that are said to have changed them. */
async function changedBetween(first: number, second: number) {
  const { pool } = database;
  const [before, after] = [await asOf(times[first] as number), await asOf(times[second] as number)];
  try {
    const found = await differencesOf(pool, notes, before, after, 10);
    const decisions = { decisionAt: () => undefined };
    const moments = { from: before.vector, to: after.vector, ...(await notAppliedIn(pool, after)) };
    const told = await explained({ ...source, log: own.log, decisions, opens: false, ...moments }, found);
    return (told.notes?.rows ?? []).map(({ columns, events, held }) => ({
      note: columns.note,
      by: events.map(({ place }) => place),
      held,
    }));
  } finally {
    for (const one of [before, after]) await dropAsOf(pool, one);
  }
}

describe("a fact that a translation made again superseded", () => {
  const line = { lines: ["stays"], parked: 0 };

  it("was true once for who asks before that, whatever is said of it now", async () => {
    const before = { ...line, notes: ["wrong"], acts: ["line", "set"], all: ["line", "set"] };
    expect(await known(times[1] as number)).toEqual(before);
    expect(await known(times[1] as number, endOfJanuary)).toEqual(before);
  });

  it("is not brought back by a moment before what it was corrected to happened", async () => {
    expect(await known(times[2] as number)).toMatchObject({ notes: ["right"], all: ["line", "set"] });
    expect(await known(times[2] as number, endOfJanuary)).toEqual({
      ...line,
      notes: [],
      acts: ["line"],
      all: ["line"],
    });
  });

  it("stays where Postgres refuses what it was corrected to: a difference tells that, and not of the correction", async () => {
    const place = (offset: number) => `${topic}/0/${offset}`;
    expect(await changedBetween(0, 2)).toEqual([{ note: [null, "right"], by: [place(1), place(2)], held: null }]);
    await database.pool.query(
      `INSERT INTO engine.parked_keys (projection, build, topic, partition, log_offset, key, position, code, reason, consumer_role)
       SELECT projection, build, $1, 0, 2, $2, '', 'TRIB_PROJECT_WRITE_REFUSED', 'refused', consumer_role
       FROM engine.builds WHERE projection = 'notes' AND state = 'current'`,
      [topic, keyOf(1)],
    );
    const held = { place: place(2), code: "TRIB_PROJECT_WRITE_REFUSED" };
    expect(await changedBetween(0, 2)).toEqual([{ note: [null, "wrong"], by: [place(1)], held }]);
    expect(await changedBetween(1, 2)).toEqual([]);
  });
});
