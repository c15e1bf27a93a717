import { setTimeout as pause } from "node:timers/promises";
import type { OwnTopics } from "../../engine/log/own-topics.js";
import { ask } from "../../stack/ports.js";
import type { BrokerId, ThreeBrokers } from "./cluster.js";

type Admin = OwnTopics["admin"];

export interface Place {
  /** With the installation's prefix. */
  readonly topic: string;
  readonly partition: number;
}

/** `ElectLeaders` version 1, which the client library doesn't have: preferred leaders of some partitions. */
function electPreferred(places: readonly Place[]): Buffer {
  const parts: Buffer[] = [];
  const int16 = (value: number) => {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    parts.push(bytes);
  };
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    parts.push(bytes);
  };
  const electLeaders = 43;
  int16(electLeaders);
  int16(1);
  int32(7);
  int16(-1);
  parts.push(Buffer.from([0]));
  const topics = groups(places);
  int32(topics.size);
  for (const [topic, members] of topics) {
    int16(Buffer.byteLength(topic));
    parts.push(Buffer.from(topic));
    int32(members.length);
    for (const { partition } of members) int32(partition);
  }
  int32(10_000);
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function groups(places: readonly Place[]): Map<string, Place[]> {
  const topics = new Map<string, Place[]>();
  for (const place of places) topics.set(place.topic, [...(topics.get(place.topic) ?? []), place]);
  return topics;
}

/** Leaders of a topic's partitions as the brokers tell; -1 for none. */
export async function leadersOf(admin: Admin, topic: string): Promise<ReadonlyMap<number, number>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return new Map((topics[0]?.partitions ?? []).map(({ partitionId, leader }) => [partitionId, leader]));
}

/**
 * Gives partitions to another leader: it becomes the first of the replicas, and the first is elected. All three brokers
 * hold a replica, so no data move; a broker that isn't in sync is not elected.
 * @returns whether all of them have that leader, within the time given.
 */
export async function moveLeaders(
  brokers: ThreeBrokers,
  admin: Admin,
  places: readonly Place[],
  to: BrokerId,
  milliseconds = 10_000,
): Promise<boolean> {
  const replicas = [to, ...brokers.ids.filter((id) => id !== to)];
  await admin.alterPartitionReassignments({
    topics: [...groups(places)].map(([topic, members]) => ({
      topic,
      partitionAssignment: members.map(({ partition }) => ({ partition, replicas })),
    })),
  });
  const until = Date.now() + milliseconds;
  while (Date.now() < until) {
    await ask(brokers.port(to), electPreferred(places));
    let moved = true;
    for (const [topic, members] of groups(places)) {
      const leaders = await leadersOf(admin, topic);
      if (members.some(({ partition }) => leaders.get(partition) !== to)) moved = false;
    }
    if (moved) return true;
    await pause(100);
  }
  return false;
}
