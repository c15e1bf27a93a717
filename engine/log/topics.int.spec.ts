import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Codec } from "./codec.js";
import { openJournal } from "./genesis.js";
import type { Appended, Log } from "./log.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";
import { connectCodec, registerSchemas } from "./registry.js";
import { journalTopic } from "./schemas.js";
import { applyTopics, checkTopics, readJournalId, topicDefinitions } from "./topics.js";

let own: OwnTopics;
let codec: Codec;
let journal: string;

beforeAll(async () => {
  own = await ownTopics({ TOPIC_PARTITIONS: 3 });
  expect((await checkTopics(own.settings)).map(({ setting }) => setting)).toEqual(Array(6).fill("topic"));
  await expect(applyTopics(own.settings)).rejects.toMatchObject({ code: "TRIB_LOG_SCHEMA_NOT_REGISTERED" });
  await expect(readJournalId(own.log)).rejects.toMatchObject({ code: "TRIB_LOG_JOURNAL_UNMADE" });
  await registerSchemas(own.settings);
  codec = await connectCodec(own.settings);
  journal = (await applyTopics(own.settings)).journal;
});
afterAll(async () => {
  const registry = own.settings.SCHEMA_REGISTRY_URL;
  const subjects = (await (await fetch(`${registry}/subjects`)).json()) as string[];
  for (const subject of subjects.filter((each) => each.startsWith(own.settings.TOPIC_PREFIX))) {
    await fetch(`${registry}/subjects/${encodeURIComponent(subject)}`, { method: "DELETE" });
  }
  await own.dispose();
});

describe("topics", () => {
  it("are all there and as they must be", async () => {
    expect(await checkTopics(own.settings)).toEqual([]);
    const topics = await own.admin.listTopics();
    for (const { topic } of topicDefinitions(own.settings)) expect(topics).toContain(own.settings.TOPIC_PREFIX + topic);
  });

  it("applied again change nothing, and the journal keeps its id", async () => {
    const before = await own.log.watermarks(journalTopic);
    expect(await applyTopics(own.settings)).toEqual({ journal, differences: [] });
    expect(await own.log.watermarks(journalTopic)).toEqual(before);
  });

  it("differ when their configuration does, and are corrected without losing what an operator added", async () => {
    const name = `${own.settings.TOPIC_PREFIX}health.visit.events`;
    const configEntries = [
      { name: "retention.ms", value: "1000" },
      { name: "segment.bytes", value: "33554432" },
    ];
    await own.admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name, configEntries }] });
    const differences = await checkTopics(own.settings);
    expect(differences).toContainEqual({
      topic: "health.visit.events",
      setting: "retention.ms",
      expected: "-1",
      found: "1000",
    });
    expect((await applyTopics(own.settings)).differences).toEqual([]);
    const { resources } = await own.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name, configNames: ["segment.bytes"] }],
    });
    expect(resources[0]?.configEntries[0]?.configValue).toBe("33554432");
  });

  it("differ when settings ask for other partitions or a larger unit", async () => {
    const larger = { ...own.settings, TOPIC_PARTITIONS: 4, INTAKE_UNIT_LIMIT: 20_000_000 };
    const differences = await checkTopics(larger);
    expect(differences.filter(({ setting }) => setting === "partitions")).toHaveLength(6);
    expect(differences.find(({ setting }) => setting === "max.message.bytes")).toMatchObject({ topic: journalTopic });
    expect(await checkTopics({ ...own.settings, INTAKE_UNIT_LIMIT: 1_000_000 })).toEqual([]);
  });
});

describe("the journal's id", () => {
  it("stands at offset 0 of every partition, as an entry like all others", async () => {
    expect(await readJournalId(own.log)).toBe(journal);
    for (const partition of [0, 1, 2]) {
      for await (const [first] of own.log.read(journalTopic, partition, 0, 1)) {
        expect(codec.decodeEntry(first?.value ?? Buffer.alloc(0))).toMatchObject({ entry: "GENESIS", journal });
      }
    }
  });

  it("is completed when its making was killed in between", async () => {
    const half = await ownTopics({ TOPIC_PARTITIONS: 3 });
    try {
      await half.create(journalTopic, 3);
      await openOnly(half, 0);
      await expect(readJournalId(half.log)).rejects.toThrow(/Partition 1 of the journal has no id/);
      const first = await idAt(half, 0);
      expect(await openJournal(half.log, codec)).toBe(first);
      expect(await readJournalId(half.log)).toBe(first);
    } finally {
      await half.dispose();
    }
  });

  it("is one id when another installer runs between two steps of the first", async () => {
    const shared = await ownTopics();
    try {
      await shared.create(journalTopic, 3);
      // Both see an empty journal; the first writes its first entry, then the second writes all of its own.
      const [bothLooked, firstWrote] = [gate(), gate()];
      let appends = 0;
      const second = openJournal(
        withAppends(shared.log, async (append) => {
          bothLooked.open();
          await firstWrote.passed;
          return append();
        }),
        codec,
      );
      const first = openJournal(
        withAppends(shared.log, async (append) => {
          await bothLooked.passed;
          const appended = await append();
          firstWrote.open();
          if (appends++ === 0) await second;
          return appended;
        }),
        codec,
      );
      expect(await first).toBe(await second);
      const ids = await Promise.all([1, 2, 3].map(() => openJournal(shared.log, codec)));
      expect(new Set([await first, ...ids]).size).toBe(1);
    } finally {
      await shared.dispose();
    }
  });

  it("is missing in a journal that was made by other means", async () => {
    const foreign = await ownTopics();
    try {
      await foreign.create(journalTopic, 1);
      const producer = await foreign.log.producer();
      await producer.append([{ topic: journalTopic, key: "a feed", value: Buffer.from("x") }]);
      await producer.close();
      await expect(readJournalId(foreign.log)).rejects.toMatchObject({ code: "TRIB_LOG_JOURNAL_UNMADE" });
      await expect(openJournal(foreign.log, codec)).rejects.toMatchObject({ code: "TRIB_LOG_JOURNAL_UNMADE" });
    } finally {
      await foreign.dispose();
    }
  });
});

async function idAt(topics: OwnTopics, partition: number): Promise<string> {
  for await (const [first] of topics.log.read(journalTopic, partition, 0, 1)) {
    return codec.decodeEntry(first?.value ?? Buffer.alloc(0)).journal;
  }
  throw new Error("empty");
}

/** A point that one passes when another opens it. */
function gate() {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** The log with something around every append. */
function withAppends(
  log: Log,
  around: (append: () => Promise<readonly Appended[]>) => Promise<readonly Appended[]>,
): Log {
  return {
    ...log,
    async producer() {
      const producer = await log.producer();
      return { close: () => producer.close(), append: (records) => around(() => producer.append(records)) };
    },
  };
}

/** What a making that was killed after its first append leaves. */
async function openOnly(topics: OwnTopics, partition: number): Promise<void> {
  let appends = 0;
  const killed = withAppends(topics.log, async (append) => {
    if (appends++ > 0) throw new Error("killed");
    return append();
  });
  await expect(openJournal(killed, codec)).rejects.toThrow("killed");
  expect(await idAt(topics, partition)).toMatch(/^[0-9a-f-]{36}$/);
}
