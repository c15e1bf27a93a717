import { setTimeout as pause } from "node:timers/promises";
import { seededRandom } from "../../demo/random.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { freshDatabase } from "../../engine/testing/database.js";
import { eventsTopicOfScript } from "../../engine/testing/journal-script.js";
import type { ThreeBrokers } from "./cluster.js";
import { openSpreadJournal, recordsOf, spreadTopics } from "./installation.js";
import { JournalStory, PreconditionCheck } from "./journal-story.js";
import { SupervisedPublisher } from "./publishers.js";
import { storm } from "./weather.js";

const partitions = 4;
/**
 * A frozen publisher's partitions are taken over when its session (12 s) is over and the group has joined anew, which it
 * can't while its coordinator is away.
 */
const takenOverMilliseconds = 60_000;
const longestMilliseconds = 150_000;
const killed = "publisher killed";
const zombie = "publisher frozen until another had its partitions, and resumed";
const settleMilliseconds = 90_000;

export interface PublisherChaos {
  readonly kills: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly events: number;
  readonly repeats: number;
  readonly violations: readonly string[];
  readonly missing: number;
  /** What publishers ended with by themselves. */
  readonly failures: readonly string[];
}

/** Two publishers under a journal that grows all the time, while they and the brokers are struck. */
export async function publisherChaos(
  brokers: ThreeBrokers,
  seed: number,
  milliseconds: number,
): Promise<PublisherChaos> {
  const random = seededRandom(`publishers/${seed}`);
  const database = await freshDatabase();
  const topics = await spreadTopics(brokers, [journalTopic, eventsTopicOfScript], partitions);
  const { settings, log, admin, codec } = topics;
  await openSpreadJournal(topics);
  const environment = {
    PATH: process.env.PATH,
    KAFKA_BROKERS: brokers.addresses.join(","),
    TOPIC_PREFIX: settings.TOPIC_PREFIX,
    DATABASE_URL: database.url,
  };
  const story = new JournalStory(partitions);
  const checks = Array.from({ length: partitions }, (_, partition) => new PreconditionCheck(story, partition));
  const publishers = [new SupervisedPublisher(environment), new SupervisedPublisher(environment)] as const;
  const faults: Record<string, number> = { [killed]: 0, [zombie]: 0 };
  const strikes = (kind: string) => {
    faults[kind] = (faults[kind] ?? 0) + 1;
  };
  let kills = 0;
  let struck = false;
  let over = false;

  const rows = async () =>
    (
      await database.pool.query<{ partition: number; next: number; owner: string }>(
        "SELECT partition, next_offset AS next, owner FROM engine.publisher_checkpoints",
      )
    ).rows;
  const unpublished = async () => {
    const next = new Map((await rows()).map((row) => [row.partition, Number(row.next)]));
    return story.ends.reduce((sum, end, partition) => sum + Math.max(0, end - (next.get(partition) ?? 1)), 0);
  };
  const busy = async () => (await unpublished()) > 0;
  const owns = async (publisher: SupervisedPublisher) =>
    (await rows()).some(({ owner }) => owner.startsWith(`${publisher.owner}/`));

  const writing = (async () => {
    const producer = await log.producer();
    while (!struck) {
      await story.write(producer, codec, 10);
      await pause(60);
    }
    await producer.close();
  })();
  const checking = (async () => {
    while (!over) {
      for (const check of checks) {
        // While no broker answers there is nothing to look at; the records are there afterwards.
        const records = await recordsOf(log, eventsTopicOfScript, check.partition, check.next).catch(() => []);
        check.take(records);
      }
      await pause(200);
    }
  })();
  /** A publisher with partitions and entries to publish; which of its processes has them changes over time. */
  const atWork = async (): Promise<SupervisedPublisher> => {
    const until = Date.now() + takenOverMilliseconds;
    for (;;) {
      const publisher = random.pick(publishers);
      if ((await owns(publisher)) && (await busy())) return publisher;
      if (Date.now() > until) throw new Error("No publisher came to its partitions in time.");
      await pause(10);
    }
  };
  const killing = async () => {
    if (!(await atWork()).signal("SIGKILL")) return;
    kills++;
    strikes(killed);
    await pause(random.between(500, 2_500));
  };
  const freezing = async () => {
    const publisher = await atWork();
    const other = publishers[publisher === publishers[0] ? 1 : 0];
    if (!publisher.signal("SIGSTOP")) return;
    if (random.chance(300)) {
      other.signal("SIGKILL");
      kills++;
    }
    const until = Date.now() + takenOverMilliseconds;
    while ((await owns(publisher)) && Date.now() < until) await pause(100);
    if (!(await owns(publisher))) strikes(zombie);
    publisher.signal("SIGCONT");
    await pause(1_000);
  };
  const processes = async () => {
    const from = Date.now();
    const isOver = () => {
      const passed = Date.now() - from;
      return passed > longestMilliseconds || (passed > milliseconds && [killed, zombie].every((kind) => faults[kind]));
    };
    do {
      await killing();
      await freezing();
    } while (!isOver());
  };

  try {
    while ((await rows()).length < partitions) await pause(100);
    const places = [journalTopic, eventsTopicOfScript].flatMap((topic) =>
      checks.map(({ partition }) => ({ topic: `${settings.TOPIC_PREFIX}${topic}`, partition })),
    );
    const weather = { brokers, admin, places, random: random.fork("weather"), busy, faults };
    await Promise.all([processes(), storm(weather, milliseconds)]);
    struck = true;
    await writing;
    const until = Date.now() + settleMilliseconds;
    while (checks.some((check) => check.missing() > 0) && Date.now() < until) await pause(200);
    over = true;
    await checking;
    return {
      kills,
      faults,
      events: checks.reduce((sum, { next }) => sum + next, 0),
      repeats: checks.reduce((sum, { repeats }) => sum + repeats, 0),
      violations: checks.flatMap(({ violations }) => violations),
      missing: checks.reduce((sum, check) => sum + check.missing(), 0),
      failures: publishers.flatMap(({ failures }) => failures),
    };
  } finally {
    struck = true;
    over = true;
    for (const id of brokers.ids) await brokers.thaw(id);
    await Promise.all(publishers.map((publisher) => publisher.end()));
    await Promise.allSettled([writing, checking]);
    await topics.dispose();
    await database.drop();
  }
}
