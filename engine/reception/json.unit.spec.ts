import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson, shapeOf } from "./json.js";

const limits = { depth: 20, values: 1000 };
const look = (text: string | Buffer, path?: string[]) => shapeOf(Buffer.from(text as string), limits, path);

describe("the shape of a JSON text", () => {
  it("finds a key that stands twice in one object, however it is written, and not one in two objects", () => {
    expect(look('{"a":{"b":1,"c":{},"b":2}}')).toMatchObject({ fault: "DUPLICATE_KEY", place: "a.b" });
    expect(look('{"a":1,"\\u0061":2}')).toMatchObject({ fault: "DUPLICATE_KEY" });
    expect(look('[{"a":1},{"a":1},{"b":{"a":"a\\"a"}}]')).toEqual({ spans: [] });
    const many = Array.from({ length: 60 }, (_, at) => `"k${at}":${at}`).join(",");
    expect(look(`{${many}}`).fault).toBeUndefined();
    expect(look(`{${many},"k59":1}`).fault).toBe("DUPLICATE_KEY");
  });

  it("refuses what is too deep, too many, not UTF-8, or cut off", () => {
    expect(look("[".repeat(100_000)).fault).toBe("DEPTH");
    expect(look(`[${"1,".repeat(1001)}1]`).fault).toBe("COUNT");
    expect(look(Buffer.from('{"a":"J\xfcrgen"}', "latin1")).fault).toBe("ENCODING");
    for (const text of ['{"a":', '{"a":"b', "[1}", "]"]) expect(look(text).fault, text).toBe("SYNTAX");
  });

  it("finds the values at a path, byte for byte, behind a byte order mark too", () => {
    const text =
      '\ufeff{"entry" : [ {"resource" : {"a":[1,{"b":2}]} , "x":1}, {"y":"}"},{"resource":"t"} ],"other":[{"resource":1}]}';
    const bytes = Buffer.from(text);
    const cut = (path: string[]) => look(bytes, path).spans.map(({ start, end }) => bytes.toString("utf8", start, end));
    expect(cut(["entry", "*", "resource"])).toEqual(['{"a":[1,{"b":2}]}', '"t"']);
    expect(cut(["entry", "*"])).toHaveLength(3);
    expect(cut(["other", "*"])).toEqual(['{"resource":1}']);
    expect(cut(["nowhere"])).toEqual([]);
  });

  it("finds no fault in what any writer of JSON writes, and cuts elements that parse to the same", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 5 }), { maxLength: 8 }),
        fc.constantFrom(0, 2),
        (values, indent) => {
          const bytes = Buffer.from(JSON.stringify({ list: values }, null, indent));
          const { fault, spans } = shapeOf(bytes, limits, ["list", "*"]);
          expect(fault).toBeUndefined();
          expect(spans.map(({ start, end }) => parseJson(bytes.subarray(start, end))?.value)).toEqual(
            JSON.parse(JSON.stringify(values)),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
