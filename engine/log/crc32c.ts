const polynomial = 0x82f63b78;
const width = 8;

/** For each of eight bytes in a row, what it adds to the sum when it and all after it are taken at once. */
const tables = new Int32Array(256 * width);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ polynomial;
  tables[byte] = sum;
}
for (let at = 256; at < tables.length; at++) {
  const before = tables[at - 256] as number;
  tables[at] = (before >>> 8) ^ (tables[before & 255] as number);
}

/**
 * CRC-32C (Castagnoli, RFC 3720) eight bytes at a time, four times as fast as the library's byte by byte: every byte that
 * is sent to the log passes through it.
 */
export function crc32c(bytes: Uint8Array): number {
  const t = tables;
  let sum = -1;
  let at = 0;
  for (const last = bytes.length - width; at <= last; at += width) {
    sum ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    sum =
      (t[1792 + (sum & 255)] as number) ^
      (t[1536 + ((sum >>> 8) & 255)] as number) ^
      (t[1280 + ((sum >>> 16) & 255)] as number) ^
      (t[1024 + (sum >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < bytes.length; at++) sum = (t[(sum ^ (bytes[at] as number)) & 255] as number) ^ (sum >>> 8);
  return (sum ^ -1) >>> 0;
}
