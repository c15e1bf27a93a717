import type { Cluster, FetchedPartition } from "./kafkajs-internals.js";

const fetchBytes = 4 * 1024 * 1024;
/** Longest wait of a fetch that finds nothing. */
export const waitMilliseconds = 250;
/** Nothing of open transactions. */
const readCommitted = 1;

/**
 * One fetch from a partition's leader, without a group.
 * @param topic with the installation's prefix, among the cluster's target topics.
 * @throws what the library throws; LEADER_NOT_AVAILABLE when there is none.
 */
export async function fetchPartition(
  cluster: Cluster,
  topic: string,
  partition: number,
  offset: number,
): Promise<FetchedPartition | undefined> {
  const leader = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
  if (leader === undefined) throw Object.assign(new Error("no leader"), { type: "LEADER_NOT_AVAILABLE" });
  const broker = await cluster.findBroker({ nodeId: leader });
  const { responses } = await broker.fetch({
    maxWaitTime: waitMilliseconds,
    minBytes: 1,
    maxBytes: fetchBytes,
    isolationLevel: readCommitted,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: fetchBytes }] }],
  });
  return responses.find(({ topicName }) => topicName === topic)?.partitions[0];
}
