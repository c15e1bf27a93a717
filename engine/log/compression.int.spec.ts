import { randomBytes } from "node:crypto";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLogger } from "../service/logger.js";
import { kafkaClient } from "./connection.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";

let own: OwnTopics;
beforeAll(async () => {
  own = await ownTopics();
});
afterAll(() => own.dispose());

const { CompressionTypes } = kafkajs;

/** Some that compress well, some that don't, one larger than a block of any codec. */
const values = [
  Buffer.alloc(0),
  Buffer.from("plain text ".repeat(20)),
  randomBytes(1_000),
  Buffer.concat([randomBytes(100_000), Buffer.alloc(100_000, 7)]),
];

async function valuesOf(topic: string): Promise<Buffer[]> {
  const read: Buffer[] = [];
  for await (const records of own.log.read(topic, 0, 0, values.length)) {
    for (const { value } of records) read.push(value ?? Buffer.from("null"));
  }
  return read;
}

describe.each([
  ["gzip", CompressionTypes.GZIP],
  ["snappy", CompressionTypes.Snappy],
  ["lz4", CompressionTypes.LZ4],
  ["zstd", CompressionTypes.ZSTD],
])("%s", (name, compression) => {
  it("is read as the broker's own Java library wrote it", async () => {
    await own.create(`java-${name}`, 1, { "compression.type": name });
    const producer = await own.log.producer();
    await producer.append(values.map((value) => ({ topic: `java-${name}`, key: "k", value })));
    await producer.close();
    expect(await valuesOf(`java-${name}`)).toEqual(values);
  });

  it("is written so that the broker's Java library reads it", async () => {
    // LogAppendTime makes the broker open every batch, and the other codec makes it write the batch anew.
    const other = name === "gzip" ? "lz4" : "gzip";
    await own.create(`ours-${name}`, 1, { "compression.type": other, "message.timestamp.type": "LogAppendTime" });
    const kafka = kafkaClient(own.settings, "spec", createLogger("spec", "error"));
    const producer = kafka.producer({ createPartitioner: () => () => 0 });
    await producer.connect();
    const topic = `${own.settings.TOPIC_PREFIX}ours-${name}`;
    await producer.send({ topic, compression, messages: values.map((value) => ({ key: "k", value })) });
    await producer.disconnect();
    expect(await valuesOf(`ours-${name}`)).toEqual(values);
  });

  it("is read back as it was written by us", async () => {
    await own.create(`both-${name}`, 1, { "compression.type": "producer" });
    const kafka = kafkaClient(own.settings, "spec", createLogger("spec", "error"));
    const producer = kafka.producer({ createPartitioner: () => () => 0 });
    await producer.connect();
    const topic = `${own.settings.TOPIC_PREFIX}both-${name}`;
    await producer.send({ topic, compression, messages: values.map((value) => ({ key: "k", value })) });
    await producer.disconnect();
    expect(await valuesOf(`both-${name}`)).toEqual(values);
  });
});
