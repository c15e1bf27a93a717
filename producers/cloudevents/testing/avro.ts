import { compileType } from "../../../engine/log/avro-type.js";
import { readForm } from "../read-form.js";
import { forms, type Structured } from "./events.js";

/** A number as Avro writes it: zigzag, seven bits a byte. */
function long(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

const text = (value: string | Buffer) => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([long(bytes.length), bytes]);
};

/** Data of an event in Avro. @param schema default: the one that partners are shown. */
export function avroData(event: Structured, { schema } = forms.get(event.type as string)!): Buffer {
  const read = readForm(schema, event.data);
  return compileType(schema).toBuffer(read);
}

/** An event in the Avro format of CloudEvents: attributes as a map, data as bytes. */
export function avroEnvelope({ data: _data, ...attributes }: Structured, data: Buffer): Buffer {
  const entries = Object.entries(attributes) as [string, string][];
  const map = entries.map(([name, value]) => Buffer.concat([text(name), long(3), text(value)]));
  return Buffer.concat([long(entries.length), ...map, long(0), long(0), text(data)]);
}
