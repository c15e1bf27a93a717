import { compactDay, compactMinute } from "./calendar.js";
import type { X12Sender } from "./senders.js";
import { toAscii } from "./vocabulary.js";

/** How one sender writes its interchanges. */
interface Dialect {
  readonly component: ":" | ">";
  readonly newline: "" | "\n";
}

const dialects: Readonly<Record<X12Sender["name"], Dialect>> = {
  clearing: { component: ":", newline: "\n" },
  insurer: { component: ">", newline: "" },
};

/** A transaction set without its envelope. `wrongCount` makes SE01 lie. */
export interface TransactionSet {
  readonly set: "837" | "835";
  readonly segments: readonly string[];
  readonly wrongCount?: boolean;
}

export interface Interchange {
  readonly sender: X12Sender;
  /** ISA13 and GS06. */
  readonly control: number;
  readonly at: number;
  readonly sets: readonly TransactionSet[];
  /** An envelope that is broken: IEA02 is another number, or IEA is missing. */
  readonly broken?: "trailer" | "end";
}

/** A name or address in X12's basic character set: upper-case ASCII. */
export const basic = (text: string): string =>
  toAscii(text)
    .toUpperCase()
    .replace(/[^A-Z0-9 '&.,()/-]/g, " ");

const versions = { "837": ["HC", "005010X222A1"], "835": ["HP", "005010X221A1"] } as const;

/** The exact bytes of an interchange (X12 005010: ISA, one functional group, its sets, IEA). */
export function writeInterchange(interchange: Interchange): Buffer {
  const { sender, control, at, sets, broken } = interchange;
  const dialect = dialects[sender.name];
  const number = String(control).padStart(9, "0");
  const [group, version] = versions[sets[0]?.set ?? "837"];
  const lines = [
    `ISA*00*          *00*          *ZZ*${sender.id.padEnd(15)}*ZZ*${sender.receiver.padEnd(15)}*${compactDay(at).slice(2)}*${compactMinute(at)}*^*00501*${number}*0*P*:`,
    `GS*${group}*${sender.id}*${sender.receiver}*${compactDay(at)}*${compactMinute(at)}*${control}*X*${version}`,
  ];
  sets.forEach(({ set, segments, wrongCount }, index) => {
    const id = String(index + 1).padStart(4, "0");
    lines.push(set === "835" ? `ST*835*${id}` : `ST*837*${id}*${version}`, ...segments);
    lines.push(`SE*${segments.length + 2 + (wrongCount === true ? 5 : 0)}*${id}`);
  });
  lines.push(`GE*${sets.length}*${control}`);
  if (broken !== "end") lines.push(`IEA*1*${broken === "trailer" ? String(control + 1).padStart(9, "0") : number}`);
  let text = `${lines.join(`~${dialect.newline}`)}~${dialect.newline}`;
  if (dialect.component !== ":") text = text.replaceAll(":", dialect.component);
  return Buffer.from(text, "ascii");
}
