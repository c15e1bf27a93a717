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
  // A translation of which Postgres refused an event stands, from that one on, where it came.
  const isWaiting = (one: Standing) =>
    [...ofUnit.slice(0, ofUnit.indexOf(one) + 1)].some(
      (other) => other.isRefused && translationOf(other) === translationOf(one),
    );
  const peers = ofUnit.filter((other) => translationOf(other) === translationOf(next));
  if (next.isRefused || peers.some(({ isRefused }) => isRefused)) return [...all, next];
  const superseded = ofUnit.filter((other) => translationOf(other) < translationOf(next));
  const left = all.filter((other) => !superseded.includes(other));
  const before = (one: Standing | undefined) => (one ? all.slice(0, all.indexOf(one)) : all);
  const lastPeer = peers.at(-1);
  const ahead = lastPeer
    ? [...before(lastPeer), lastPeer]
    : before(
        superseded.find((other) => !isWaiting(other)) ??
          left.find(
            (other) => unitOf(other).partition === unitOf(next).partition && unitOf(other).offset > unitOf(next).offset,
          ),
      );
  const goesFirst = left.filter((other) => ahead.includes(other));
  return [...goesFirst, next, ...left.slice(goesFirst.length)];
}
