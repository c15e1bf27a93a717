/** A stretch of a transmission. The slices of a transmission in order are all of its bytes. */
export interface Slice {
  /** `message` begins with MSH; `envelope` is FHS, BHS, BTS or FTS; `loose` is what comes before the first of either. */
  readonly kind: "message" | "envelope" | "loose";
  /** First byte. */
  readonly start: number;
  /** Byte after the last; line ends belong to the line before. */
  readonly end: number;
}

const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";
/** How a line is known that begins a message, that is of an envelope, that begins a segment. */
interface Marks {
  readonly header: RegExp;
  readonly envelope: RegExp;
  readonly segment: RegExp;
}

/** @param never characters that don't stand after an id. */
const marks = (never: string): Marks => ({
  header: new RegExp(`^MSH(?:[^A-Za-z0-9${never}]|$)`),
  envelope: new RegExp(`^(?:FHS|BHS|BTS|FTS)(?:[^A-Za-z0-9${never}]|$)`),
  segment: new RegExp(`^(?:[A-Z][A-Z0-9]{2}$|[A-Za-z][A-Za-z0-9]{2}[^A-Za-z0-9_${never}])`),
});
/** What may follow a word of three letters in a text, and is hardly anybody's field separator. */
const PROSE = "\\s.,;:?!'\"()/+=-";
const usual = marks(PROSE);
const unusual = marks("");
const isProse = new RegExp(`[${PROSE}]`);
const marksFor = (separator: string | undefined): Marks => (isProse.test(separator ?? "|") ? unusual : usual);
/** The character after the first id of a transmission. */
const separatorOf = (raw: string): string | undefined => /^[^A-Za-z]*(?:MSH|FHS|BHS)(.)/.exec(raw)?.[1];
const LINE = /([^\r\n]*)(\r\n|\r|\n|$)/y;

/**
 * Cuts a transmission into messages and batch envelopes: a line that starts with MSH begins a message.
 * @param raw the bytes, one character a byte ("latin1").
 * @param most slices that are cut: of a transmission with more, these and the next one.
 */
export function sliceTransmission(raw: string, most = Number.POSITIVE_INFINITY): Slice[] {
  const slices: { kind: Slice["kind"]; start: number; end: number }[] = [];
  const { header, envelope } = marksFor(separatorOf(raw));
  let at = 0;
  while (at < raw.length && slices.length <= most) {
    LINE.lastIndex = at;
    const match = LINE.exec(raw);
    const text = match?.[1] ?? "";
    const line = text.startsWith(BYTE_ORDER_MARK) ? text.slice(3) : text;
    const end = at + (match?.[0].length ?? raw.length);
    const open = slices.at(-1);
    if (header.test(line) || (!open && line.startsWith("MSH"))) slices.push({ kind: "message", start: at, end });
    else if (envelope.test(line)) slices.push({ kind: "envelope", start: at, end });
    else if (open) open.end = end;
    else slices.push({ kind: "loose", start: at, end });
    at = end;
  }
  // Blank lines before the first message are the beginning of that message's slice, not a unit of their own.
  const [first, second] = slices;
  if (first?.kind === "loose" && second && raw.slice(first.start, first.end).trim() === "") {
    second.start = first.start;
    slices.shift();
  }
  return slices;
}

/** A message cut into segments, still one character a byte. */
export interface SegmentedMessage {
  /** Segment texts without terminators. A raw line break inside a field is an LF. */
  readonly segments: readonly string[];
  /** What was unusual: `UTF8_BOM`, `CONTINUATION_LINE`. */
  readonly flags: readonly string[];
}

/**
 * Cuts one message into segments. CR, LF and CRLF end a segment; a line that doesn't begin with a segment id continues
 * the one before (a raw line break in a field), also one that begins with a word of three letters, as reports do; blank
 * lines and a byte order mark are left out.
 * @param raw the bytes, one character a byte ("latin1").
 */
export function segmentMessage(raw: string): SegmentedMessage {
  const flags: string[] = [];
  const segments: string[] = [];
  let text = raw;
  if (text.startsWith(BYTE_ORDER_MARK)) {
    flags.push("UTF8_BOM");
    text = text.slice(3);
  }
  const separator = separatorOf(text);
  const { envelope, segment } = marksFor(separator);
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line.trim() === "" || envelope.test(line)) continue;
    const before = segments.length - 1;
    if (before < 0 || segment.test(line) || isBlanked(line, separator) || isMisnamedAfterHeader(segments, line)) {
      // A mark may also stand after blank lines.
      if (before < 0 && line.startsWith(BYTE_ORDER_MARK)) {
        flags.push("UTF8_BOM");
        segments.push(line.slice(3));
      } else segments.push(line);
    } else {
      if (!flags.includes("CONTINUATION_LINE")) flags.push("CONTINUATION_LINE");
      segments[before] += `\n${line}`;
    }
  }
  return { segments, flags };
}

/** Blanks between an id and the message's own separator are a mistake to be told, not a text. */
function isBlanked(line: string, separator = "|"): boolean {
  return /^[A-Za-z][A-Za-z0-9]{2}\s/.test(line) && line.slice(3).trimStart().startsWith(separator);
}

/** MSH holds no free text: what follows a full one and looks like a segment is one, with a wrong name. */
function isMisnamedAfterHeader(segments: readonly string[], line: string): boolean {
  const header = segments[0] as string;
  if (segments.length > 1 || !header.startsWith("MSH")) return false;
  const separator = header[3];
  if (separator === undefined || header.split(separator).length < 12) return false;
  return /^[A-Za-z0-9]{1,5}/.test(line) && line.replace(/^[A-Za-z0-9]{1,5}/, "").startsWith(separator);
}

/** The form in which two sendings are the same: segments ended by CR, no byte order mark, no blank lines. */
export function normalisedContent(message: SegmentedMessage): Buffer {
  return Buffer.from(`${message.segments.join("\r")}\r`, "latin1");
}
