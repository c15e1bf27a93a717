import { createRequire } from "node:module";
import type { Kafka } from "kafkajs";

/**
 * The parts of KafkaJS that have no public door. They belong to one version: another one must be looked at first.
 */
const kafkajsVersion = "2.2.4";

const require = createRequire(import.meta.url);

/** The queue of requests of one connection. */
export interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

/** One connection to a broker. */
export interface Connection {
  connect(): Promise<boolean>;
  disconnect(): Promise<boolean>;
  isConnected(): boolean;
  /** What has come of the reply that is being read: bytes, how many, and how many make the next step. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
}

/** A position in the bytes of a response. */
export interface LibraryDecoder {
  readonly buffer: Buffer;
  offset: number;
}

/** Decodes the record set of a partition in a fetch response, its length in front. */
export type DecodeMessages = (response: LibraryDecoder) => Promise<object>;

/** A record of a fetch response, as the library decodes it. */
export interface FetchedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  readonly isControlRecord: boolean;
}

/** What a fetch gave of one partition. */
export interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  /** Among what was fetched; none, or null, as a rule. */
  readonly abortedTransactions?: readonly object[] | null;
  /** An array of {@link FetchedRecord}, or what `replaceFetchDecoder` put in its place. */
  readonly messages: object;
}

interface FetchRequest {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

/** A connected broker. */
interface Broker {
  fetch(request: FetchRequest): Promise<{
    readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
  }>;
  leaveGroup(member: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
}

/** The library's view of the brokers, under its own reconnecting. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, readonly number[]>;
  findBroker(node: { readonly nodeId: string }): Promise<Broker>;
  findGroupCoordinator(group: { readonly groupId: string }): Promise<Broker>;
}

/** @throws when another version of KafkaJS is installed than this code was checked with. */
export function assertKafkajsVersion(): void {
  const { version } = require("kafkajs/package.json") as { version: string };
  if (version !== kafkajsVersion) {
    throw new Error(
      `kafkajs ${version} is installed, but engine/log was checked with ${kafkajsVersion}: read the new version's ` +
        "request queue, fetch and join code, run the specs of engine/log, then change kafkajsVersion.",
    );
  }
}

/** The class whose instances queue the requests of a connection. */
export function requestQueueClass(): { readonly prototype: RequestQueue } {
  return require("kafkajs/src/network/requestQueue/index.js") as { readonly prototype: RequestQueue };
}

/** The class of connections to brokers. */
export function connectionClass(): { readonly prototype: Connection } {
  return require("kafkajs/src/network/connection.js") as { readonly prototype: Connection };
}

/**
 * Puts another decoder of fetched records in the place of the library's. To be called before the first fetch: each
 * version of the response takes its decoder when it is first used.
 */
export function replaceFetchDecoder(make: (original: DecodeMessages) => DecodeMessages): void {
  const path = require.resolve("kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js");
  const original = require(path) as DecodeMessages;
  (require.cache[path] as NodeJS.Module).exports = make(original);
}

/** Fetched records, as the library shows them to a consumer. */
export interface LibraryBatch {
  /** All of them, those before the offset asked for and control records too. */
  readonly rawMessages: ArrayLike<object>;
  /** Those that a consumer is given. */
  readonly messages: ArrayLike<{ readonly offset: string | number }>;
  lastOffset(): string | number;
}

/** Fetched records with what the library leaves out left out: control records, aborted transactions, offsets before. */
export function libraryBatch(topic: string, fetchedFrom: number, partition: FetchedPartition): LibraryBatch {
  const Batch = require("kafkajs/src/consumer/batch.js") as new (
    topic: string,
    fetchedOffset: string,
    partition: FetchedPartition,
  ) => LibraryBatch;
  return new Batch(topic, String(fetchedFrom), partition);
}

/** The codec that a record batch's attributes name; null for an unknown one. */
export function lookUpCodec(attributes: number): { decompress(bytes: Buffer): Promise<Buffer> } | null {
  const { lookupCodecByAttributes } = require("kafkajs/src/protocol/message/compression/index.js") as {
    lookupCodecByAttributes(attributes: number): { decompress(bytes: Buffer): Promise<Buffer> } | null;
  };
  return lookupCodecByAttributes(attributes);
}

/** A produce request before it is encoded. */
export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number | string; readonly messages: readonly object[] }[];
  }[];
}

/**
 * Lets requests to append be encoded by other code than the library's. To be called before the first of them: each version
 * of the request takes its encoder when it is first used.
 * @param encode gives the body of a request, or undefined where the library shall encode it.
 */
export function replaceProduceEncoder(encode: (request: ProduceRequest) => Buffer | undefined): void {
  const path = require.resolve("kafkajs/src/protocol/requests/produce/v3/request.js");
  const original = require(path) as (request: ProduceRequest) => { readonly encode: () => Promise<object> };
  (require.cache[path] as NodeJS.Module).exports = (request: ProduceRequest) => {
    const made = original(request);
    return {
      ...made,
      async encode() {
        const bytes = encode(request);
        // As much of the library's encoder as the library then looks at.
        return bytes === undefined ? made.encode() : { buf: bytes, buffer: bytes };
      },
    };
  };
}

/** A cluster as producers and consumers of the library have one each. */
export function createCluster(kafka: Kafka): Cluster {
  const key = Object.getOwnPropertySymbols(kafka).find((symbol) => symbol.description?.endsWith("createCluster"));
  if (!key) throw new Error("KafkaJS has no createCluster: it isn't the version this code was checked with.");
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[key];
  if (!create) throw new Error("KafkaJS has no createCluster: it isn't the version this code was checked with.");
  return create({ metadataMaxAge: 60_000, allowAutoTopicCreation: false });
}
