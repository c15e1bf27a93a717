/** Messages for specs, each from what it should be about. */
export interface Sketch {
  readonly type?: string;
  readonly controlId?: string;
  readonly application?: string;
  readonly facility?: string;
  readonly time?: string;
  readonly version?: string;
  readonly charset?: string;
  readonly evn?: string | null;
  /** Fields of PID from PID-1. */
  readonly pid?: string | null;
  /** PV1-2, PV1-3, PV1-19, PV1-44, PV1-45. */
  readonly pv1?: readonly [string, string, string, string?, string?] | null;
  /** Segments after those. */
  readonly more?: readonly string[];
}

const PID = "1||N1^^^NORTH^MR~E1^^^MPI^PI||Doe^Jane^Q||19800229|F|||1 Main St^^Boston^MA^02101^US||555-0100";

/** Writes a message with CR terminators. */
export function messageOf(sketch: Sketch = {}): string {
  const { type = "ADT^A01", controlId = "C1", application = "NADT", facility = "NORTH", version = "2.5.1" } = sketch;
  const { time = "20240102030405", charset = "", evn = time, pid = PID, more = [] } = sketch;
  const { pv1 = ["I", "ICU^1^A^NORTH", "V1^^^NORTH^VN"] } = sketch;
  const tail = charset === "" ? "" : `||||||${charset}`;
  const segments = [
    `MSH|^~\\&|${application}|${facility}|HUB|ENGINE|${time}||${type}|${controlId}|P|${version}${tail}`,
  ];
  if (evn !== null) segments.push(`EVN|${type.split("^")[1] ?? ""}|${evn}`);
  if (pid !== null) segments.push(`PID|${pid}`);
  if (pv1 !== null) {
    const fields = Array.from({ length: 46 }, () => "");
    const places = [2, 3, 19, 44, 45];
    fields[0] = "PV1";
    fields[1] = "1";
    pv1.forEach((text, index) => {
      fields[places[index] as number] = text ?? "";
    });
    segments.push(fields.join("|").replace(/\|+$/, ""));
  }
  return `${[...segments, ...more].join("\r")}\r`;
}
