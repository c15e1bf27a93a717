/** A ZIP archive whose every byte is accounted for: stored, no dates, no comments, nothing between the files. */

const decoder = new TextDecoder("utf-8", { fatal: true });
const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const localBytes = 30;
const centralBytes = 46;
const endBytes = 22;
/** 1 January 1980, as ZIP writes it. */
const zipDate = 0x0021;

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = ((crcTable[(sum ^ byte) & 0xff] as number) ^ (sum >>> 8)) >>> 0;
  return (sum ^ 0xffffffff) >>> 0;
}

function fail(what: string): never {
  throw new Error(what);
}

const same = (found: number, expected: number, what: string): void => {
  if (found !== expected) fail(`the archive's ${what} is not as it was written`);
};

/** The archive is put together as it should be, and the content of a file is not what its sum says. */
export class ChangedContent extends Error {
  readonly file: string;
  /** All files as they are now. */
  readonly files: ReadonlyMap<string, Uint8Array>;

  constructor(file: string, files: ReadonlyMap<string, Uint8Array>) {
    super(`the content of ${tellable(file)} is not what was packed`);
    this.file = file;
    this.files = files;
  }
}

/** A name that may itself have been changed, as it can be told. */
const tellable = (name: string): string => (/^[\w./-]{1,100}$/.test(name) ? name : "a file");

interface Entry {
  readonly name: string;
  readonly at: number;
  readonly content: Uint8Array;
  readonly sum: number;
}

/**
 * Files by name.
 * @throws Error naming what is not as a package is written: a byte anywhere that is not a file's content has one right value.
 * @throws ChangedContent
 */
export function openArchive(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Entry[] = [];
  let changed: string | undefined;
  let at = 0;
  while (at + localBytes <= bytes.length && view.getUint32(at, true) === localSignature) {
    const start = at;
    const size = view.getUint32(at + 18, true);
    const nameLength = view.getUint16(at + 26, true);
    const nameAt = at + localBytes;
    const contentAt = nameAt + nameLength;
    if (contentAt + size > bytes.length) fail("the archive is cut off");
    const content = bytes.subarray(contentAt, contentAt + size);
    const name = decoder.decode(bytes.subarray(nameAt, contentAt));
    const sum = view.getUint32(at + 14, true);
    if (crc32(content) !== sum) changed ??= name;
    checkFields(view, at + 4, { sum, size, nameLength }, "file head");
    entries.push({ name, at: start, content, sum });
    at = contentAt + size;
  }
  const centralAt = at;
  for (const { name, at: start, content, sum } of entries) {
    if (at + centralBytes > bytes.length) fail("the archive's list of files is cut off");
    same(view.getUint32(at, true), centralSignature, "list of files");
    same(view.getUint16(at + 4, true), 20, "list of files");
    const nameLength = view.getUint16(at + 28, true);
    checkFields(view, at + 6, { sum, size: content.length, nameLength }, "list of files");
    for (const field of [32, 34, 36]) same(view.getUint16(at + field, true), 0, "list of files");
    same(view.getUint32(at + 38, true), 0, "list of files");
    same(view.getUint32(at + 42, true), start, "list of files");
    const listed = bytes.subarray(at + centralBytes, at + centralBytes + nameLength);
    if (decoder.decode(listed) !== name) fail("the archive's list of files names another file");
    at += centralBytes + nameLength;
  }
  same(bytes.length, at + endBytes, "end");
  const end = [endSignature & 0xffff, endSignature >>> 16, 0, 0, entries.length, entries.length];
  for (const [index, expected] of end.entries()) same(view.getUint16(at + index * 2, true), expected, "end");
  same(view.getUint32(at + 12, true), at - centralAt, "end");
  same(view.getUint32(at + 16, true), centralAt, "end");
  same(view.getUint16(at + 20, true), 0, "end");
  const files = new Map(entries.map(({ name, content }) => [name, content]));
  if (files.size < entries.length) fail("the archive has two files of one name");
  if (changed !== undefined) throw new ChangedContent(changed, files);
  return files;
}

/** Version, flags, method, time, date, sum, sizes, length of the name and of what follows it. */
function checkFields(
  view: DataView,
  at: number,
  { sum, size, nameLength }: { readonly sum: number; readonly size: number; readonly nameLength: number },
  what: string,
): void {
  const heads = [20, 0, 0, 0, zipDate];
  for (const [index, expected] of heads.entries()) same(view.getUint16(at + index * 2, true), expected, what);
  same(view.getUint32(at + 10, true), sum, what);
  same(view.getUint32(at + 14, true), size, what);
  same(view.getUint32(at + 18, true), size, what);
  same(view.getUint16(at + 22, true), nameLength, what);
  same(view.getUint16(at + 24, true), 0, what);
}
