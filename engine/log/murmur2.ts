const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** MurmurHash2 (32 bits) as Kafka's Java client computes it over the bytes of a key. Signed. */
export function murmur2(data: Buffer): number {
  const { length } = data;
  let hash = seed ^ length;
  const words = length >> 2;
  for (let word = 0; word < words; word++) {
    let chunk = Math.imul(data.readInt32LE(word * 4), multiplier);
    chunk ^= chunk >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(chunk, multiplier);
  }
  const tail = words * 4;
  const rest = length & 3;
  if (rest >= 3) hash ^= (data[tail + 2] as number) << 16;
  if (rest >= 2) hash ^= (data[tail + 1] as number) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ (data[tail] as number), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}

/** Partition of a key, the same as every standard client chooses. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}
