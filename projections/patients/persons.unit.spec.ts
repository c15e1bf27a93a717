import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mostPatientsLinked, personsOf } from "./persons.js";

const patient = (patient_id: string, merged_into: string | null = null) => ({ patient_id, merged_into });
const strong = (patient_id: string, identifier_id: string) => ({ patient_id, identifier_id, strong: true });
const person = (...ids: string[]) => ({ person_id: ids[0], patient_ids: ids });

describe("persons", () => {
  it("are the patients themselves where nothing links them", () => {
    expect(personsOf([patient("b"), patient("a")], [{ ...strong("a", "x"), strong: false }, strong("b", "x")])).toEqual(
      [person("b"), person("a")],
    );
  });

  it("follow merges in chains and circles", () => {
    expect(personsOf([patient("c", "b"), patient("b", "a"), patient("a")], [])).toEqual([person("a", "b", "c")]);
    expect(personsOf([patient("a", "b"), patient("b", "a")], [])).toEqual([person("a", "b")]);
  });

  it("are linked over facilities by a strong identifier", () => {
    const rows = [patient("n1"), patient("s1"), patient("s2", "s1"), patient("x")];
    expect(personsOf(rows, [strong("n1", "ni"), strong("s2", "ni")])).toEqual([person("n1", "s1", "s2"), person("x")]);
  });

  it("are linked to the record of the authority whose identifier it is, merged there or not", () => {
    const rows = [patient("e1"), patient("e2", "e1"), patient("n1"), patient("s1"), patient("x")];
    const own = [
      { ...strong("e1", "e1"), strong: false },
      { ...strong("e2", "e2"), strong: false },
    ];
    expect(personsOf(rows, [...own, strong("n1", "e2"), strong("s1", "e1")])).toEqual([
      person("e1", "e2", "n1", "s1"),
      person("x"),
    ]);
  });

  it("name only patients that have a row", () => {
    expect(personsOf([patient("b", "a"), patient("c", "a")], [])).toEqual([person("b", "c")]);
  });

  it("are not linked by an identifier that too many share", () => {
    const ids = Array.from({ length: mostPatientsLinked + 1 }, (_, index) => `p${String(index).padStart(3, "0")}`);
    const shared = ids.map((id) => strong(id, "default"));
    expect(
      personsOf(
        ids.map((id) => patient(id)),
        shared,
      ),
    ).toHaveLength(ids.length);
    expect(
      personsOf(
        ids.slice(1).map((id) => patient(id)),
        shared.slice(1),
      ),
    ).toHaveLength(1);
  });

  it("are the connected parts, by a search from each patient", () => {
    const ids = ["a", "b", "c", "d", "e", "f", "g"];
    const edges = fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids)), { maxLength: 8 });
    fc.assert(
      fc.property(edges, (links) => {
        const reach = (from: string): string[] => {
          const found = new Set([from]);
          for (const at of found)
            for (const [l, r] of links) {
              if (l === at) found.add(r);
              if (r === at) found.add(l);
            }
          return [...found].sort();
        };
        const identifiers = links.flatMap(([l, r], index) => [strong(l, `x${index}`), strong(r, `x${index}`)]);
        const persons = personsOf(
          ids.map((id) => patient(id)),
          identifiers,
        );
        for (const id of ids) expect(persons).toContainEqual(person(...reach(id)));
      }),
    );
  });
});
