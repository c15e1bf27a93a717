import type { Row } from "../../engine/projector/definition.js";
import { type Clock, compareClocks } from "../clock.js";

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly at: Clock;
  readonly row: Row;
}

/** Last edge on the way from a node; undefined where it runs in a circle. */
function lastEdge(start: string, next: ReadonlyMap<string, Edge>): Edge | undefined {
  const seen = new Set([start]);
  let edge = next.get(start) as Edge;
  for (;;) {
    if (seen.has(edge.to)) return undefined;
    seen.add(edge.to);
    const following = next.get(edge.to);
    if (!following) return edge;
    edge = following;
  }
}

/**
 * Which identifier stands for a merged one now, chains followed to the end. A cycle, or a merge into itself, has no
 * survivor. Of several merges of one identifier the latest by event time counts.
 *
 * Senders name the same identifier with and without its type (MRG-1 often has none), so a chain is followed by
 * authority and value. Rows need the values of both ends, so they go with the key of either patient.
 * @param merges rows of `identifier_merges`
 * @param identifiers rows of `patient_identifiers`
 */
export function identifierSurvivorsOf(merges: readonly Row[], identifiers: readonly Row[]): readonly Row[] {
  const values = new Map<string, string>();
  for (const { identifier_id, value } of identifiers) if (value) values.set(identifier_id as string, value as string);
  for (const { old_identifier_id, old_value } of merges) {
    if (old_value) values.set(old_identifier_id as string, old_value as string);
  }
  const nodeOf = (id: string, authority: string): string => {
    const value = values.get(id);
    return value === undefined ? id : `${authority}\0${value}`;
  };

  const next = new Map<string, Edge>();
  const retired = new Map<string, Edge>();
  for (const row of merges) {
    if (row.stands !== true) continue;
    const id = row.old_identifier_id as string;
    const from = nodeOf(id, row.old_authority as string);
    const to = nodeOf(row.new_identifier_id as string, row.new_authority as string);
    if (from === to) continue;
    const edge = { from, to, at: row.at as unknown as Clock, row };
    const latest = next.get(from);
    if (!latest || compareClocks(latest.at, edge.at) < 0) next.set(from, edge);
    const before = retired.get(id);
    if (!before || compareClocks(before.at, edge.at) < 0) retired.set(id, edge);
  }

  const survivors: Row[] = [];
  for (const [id, { from, row }] of retired) {
    const value = values.get(id);
    const last = lastEdge(from, next)?.row;
    const survivorValue = last && values.get(last.new_identifier_id as string);
    if (!last || value === undefined || survivorValue === undefined) continue;
    survivors.push({
      authority: row.old_authority as string,
      type: row.old_type as string,
      value,
      survivor_authority: last.new_authority as string,
      survivor_type: last.new_type as string,
      survivor_value: survivorValue,
    });
  }
  return survivors;
}
