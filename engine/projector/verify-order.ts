import type { LaneEvent } from "./events.js";

/** An event, and whether Postgres refused it in the build. */
export interface Standing {
  readonly event: LaneEvent;
  readonly isRefused: boolean;
}

const unitOf = ({ event }: Standing) => event.origin ?? event.position;
const translationOf = ({ event }: Standing) => event.origin?.generation ?? 0;
const isOfUnit = (of: Standing) => (other: Standing) =>
  unitOf(other).partition === unitOf(of).partition && unitOf(other).offset === unitOf(of).offset;

/**
 * What stands of a key after one more event, in the order of origins: the rule of docs/retranslate.md, told a second time
 * for `projections verify`, which is to find where the lanes do otherwise.
 */
export function standingAfter(all: readonly Standing[], next: Standing): readonly Standing[] {
  if (!next.event.origin) return [...all, next];
  const ofUnit = all.filter(isOfUnit(next));
  if (ofUnit.some((other) => translationOf(other) > translationOf(next))) return all;
  const peers = ofUnit.filter((other) => translationOf(other) === translationOf(next));
  if (next.isRefused || peers.some(({ isRefused }) => isRefused)) return [...all, next];
  const superseded = new Set(ofUnit.filter((other) => translationOf(other) < translationOf(next)));
  const at = placeAmong(all, next, peers, superseded);
  const stays = (other: Standing) => !superseded.has(other);
  return [...all.slice(0, at).filter(stays), next, ...all.slice(at).filter(stays)];
}

function placeAmong(
  all: readonly Standing[],
  next: Standing,
  peers: readonly Standing[],
  superseded: ReadonlySet<Standing>,
): number {
  const lastPeer = peers.at(-1);
  if (lastPeer) return all.indexOf(lastPeer) + 1;
  // A translation of which Postgres refused an event has no place from that one on.
  const refused = new Set<number>();
  for (const other of superseded) {
    if (other.isRefused) refused.add(translationOf(other));
    if (!refused.has(translationOf(other))) return all.indexOf(other);
  }
  const isLater = (other: Standing) =>
    !superseded.has(other) &&
    unitOf(other).partition === unitOf(next).partition &&
    unitOf(other).offset > unitOf(next).offset;
  const later = all.findIndex(isLater);
  return later < 0 ? all.length : later;
}
