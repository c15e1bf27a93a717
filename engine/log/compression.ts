import { promisify } from "node:util";
import * as zlib from "node:zlib";
import kafkajs from "kafkajs";
import lz4 from "lz4-napi";
import snappyjs from "snappyjs";

/** What the library hands over to be compressed. */
interface Encoder {
  readonly buffer: Buffer;
}

interface Codec {
  compress(encoder: Encoder): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

/** Kafka frames Snappy as xerial's snappy-java does: a header, then blocks with their length in front. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeader = Buffer.concat([xerialMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const xerialBlock = 32 * 1024;

const snappy: Codec = {
  async compress({ buffer }) {
    const parts: Buffer[] = [xerialHeader];
    for (let start = 0; start < buffer.length; start += xerialBlock) {
      const block = Buffer.from(snappyjs.compress(buffer.subarray(start, start + xerialBlock)));
      const length = Buffer.alloc(4);
      length.writeInt32BE(block.length);
      parts.push(length, block);
    }
    return Buffer.concat(parts);
  },
  async decompress(buffer) {
    // Clients that aren't Java may send one bare block.
    if (!buffer.subarray(0, xerialMagic.length).equals(xerialMagic)) return Buffer.from(snappyjs.uncompress(buffer));
    const parts: Buffer[] = [];
    for (let position = xerialHeader.length; position < buffer.length; ) {
      const length = buffer.readInt32BE(position);
      const start = position + 4;
      if (length < 0 || start + length > buffer.length) throw new Error("A Snappy block beyond the end of its batch.");
      parts.push(Buffer.from(snappyjs.uncompress(buffer.subarray(start, start + length))));
      position = start + length;
    }
    return Buffer.concat(parts);
  },
};

const lz4Frame: Codec = {
  compress: ({ buffer }) => lz4.compressFrame(buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
};

type ZstdCall = (buffer: Buffer) => Promise<Buffer>;

/** Node has Zstandard of its own since 22.15; before, a WebAssembly build of the reference library serves. */
async function zstdCalls(): Promise<{ readonly compress: ZstdCall; readonly decompress: ZstdCall }> {
  const native = zlib as unknown as Record<
    string,
    ((data: Buffer, done: (error: Error | null, result: Buffer) => void) => void) | undefined
  >;
  const { zstdCompress, zstdDecompress } = native;
  if (zstdCompress && zstdDecompress) {
    return { compress: promisify(zstdCompress), decompress: promisify(zstdDecompress) };
  }
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  const zstd = await Zstd.load();
  return {
    compress: async (buffer) => Buffer.from(zstd.compress(buffer)),
    decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
  };
}

let loadedZstd: ReturnType<typeof zstdCalls> | undefined;
function zstdOnce(): ReturnType<typeof zstdCalls> {
  loadedZstd ??= zstdCalls();
  return loadedZstd;
}

const zstd: Codec = {
  compress: async ({ buffer }) => (await zstdOnce()).compress(buffer),
  decompress: async (buffer) => (await zstdOnce()).decompress(buffer),
};

/** Teaches the library every codec a topic may have; gzip it knows. */
export function registerCompression(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappy;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4Frame;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstd;
}
