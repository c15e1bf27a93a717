import type { Framer } from "./tcp-proxy.js";

/** A statement on its way to the server: all messages of one up to its Sync, or one simple query. */
export interface Statement {
  /** Name it is prepared under, e.g. `write_…`; empty for one without. */
  readonly name: string;
  readonly text: string;
}

/** What a client sends, whole messages only. */
export interface PostgresRequest {
  readonly bytes: Buffer;
  /** Undefined for what is none: start-up, passwords, data to be copied, the end. */
  readonly statement: Statement | undefined;
}

/** What a server sends, whole messages only. */
export interface PostgresReply {
  readonly bytes: Buffer;
  /** The statement that it answers. */
  readonly statement: Statement | undefined;
  /** The statement is over, and what it did is committed or undone (ReadyForQuery). */
  readonly complete: boolean;
}

const textAt = (bytes: Buffer, from: number): string => bytes.toString("utf8", from, bytes.indexOf(0, from));

/** Cuts a stream into messages: a letter and a length that counts itself. The client's first has no letter. */
function messages(startsBare: boolean): (chunk: Buffer) => readonly (readonly [type: string, bytes: Buffer])[] {
  let kept: Buffer = Buffer.alloc(0);
  let bare = startsBare;
  return (chunk) => {
    kept = kept.length > 0 ? Buffer.concat([kept, chunk]) : chunk;
    const found: [string, Buffer][] = [];
    for (;;) {
      const letter = bare ? 0 : 1;
      if (kept.length < letter + 4) return found;
      const size = letter + kept.readUInt32BE(letter);
      if (kept.length < size) return found;
      found.push([bare ? "" : String.fromCharCode(kept[0] as number), kept.subarray(0, size)]);
      kept = kept.subarray(size);
      bare = false;
    }
  };
}

/** Messages of the extended protocol that belong to the statement whose Sync is still to come. */
const withinStatement = new Set(["P", "B", "D", "E", "C"]);

/** Framers of one connection in protocol 3, without TLS. */
export function postgresFraming(): { request: Framer<PostgresRequest>; reply: Framer<PostgresReply> } {
  const texts = new Map<string, string>();
  const unanswered: (Statement | undefined)[] = [];
  const requests = messages(true);
  const replies = messages(false);
  let parts: Buffer[] = [];
  let statement: Statement | undefined;

  const note = (type: string, bytes: Buffer): void => {
    if (type === "Q") statement = { name: "", text: textAt(bytes, 5) };
    if (type === "P") {
      const name = textAt(bytes, 5);
      texts.set(name, textAt(bytes, 5 + Buffer.byteLength(name) + 1));
      statement = { name, text: texts.get(name) ?? "" };
    }
    if (type === "B") {
      const name = textAt(bytes, bytes.indexOf(0, 5) + 1);
      statement = { name, text: texts.get(name) ?? "" };
    }
  };
  return {
    request: (chunk) => {
      const made: PostgresRequest[] = [];
      for (const [type, bytes] of requests(chunk)) {
        note(type, bytes);
        parts.push(bytes);
        if (withinStatement.has(type)) continue;
        made.push({ bytes: Buffer.concat(parts), statement });
        if (type === "S" || type === "Q") unanswered.push(statement);
        parts = [];
        statement = undefined;
      }
      return made;
    },
    reply: (chunk) => {
      const made: PostgresReply[] = [];
      let answer: Buffer[] = [];
      const add = (complete: boolean) => {
        if (answer.length > 0) made.push({ bytes: Buffer.concat(answer), statement: unanswered[0], complete });
        answer = [];
        if (complete) unanswered.shift();
      };
      for (const [type, bytes] of replies(chunk)) {
        answer.push(bytes);
        if (type === "Z") add(true);
      }
      add(false);
      return made;
    },
  };
}
