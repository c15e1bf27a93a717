import { createHash } from "node:crypto";
import type { Profile } from "./profile.js";

/** Whose servers' addresses a sender uses. */
export interface Sender {
  readonly partner: string;
  readonly profile: Profile;
}

/** Where a resource is: on the server of what refers to it, on the sender's own, or under a base as it was written. */
export type Place = "here" | "own" | { readonly base: string };

const restful = /^([a-z][a-z0-9+.-]*:\/\/.+)\/([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/i;

/** The base of an absolute address of a resource of that type; undefined when it is none. */
export function baseIn(url: string | undefined, type: string): string | undefined {
  const [, base, named] = restful.exec(url ?? "") ?? [];
  return named === type ? base : undefined;
}

/** A base as it is compared: http and https are one server, and so are a slash at the end and none. */
function compared(base: string): string {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  const whole = url ? `https://${url.host}${withoutSlashes(url.pathname)}` : base;
  if (whole.length <= longestBase) return whole;
  return `${whole.slice(0, longestBase / 2)}…${createHash("sha256").update(whole).digest("hex")}`;
}

/** Without the slashes at its end. By steps: an expression would try each of a sender's million slashes anew. */
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end -= 1;
  return path.slice(0, end);
}

/** Read models keyed by identifiers take no authority of any length: a longer base goes by its beginning and its hash. */
const longestBase = 200;

export const isSameBase = (one: string, other: string): boolean => one === other || compared(one) === compared(other);

interface Known {
  readonly own: ReadonlySet<string>;
  readonly others: ReadonlyMap<string, string>;
  /** What was last asked for: mostly every address of a bundle is under one base, and parsing it takes its time. */
  last?: { readonly base: string; readonly partner: string; readonly server: Server };
}

const known = new WeakMap<Profile, Known>();

function knownTo(profile: Profile): Known {
  let found = known.get(profile);
  if (!found) {
    const others = new Map(Object.entries(profile.servers).map(([base, name]) => [compared(base), name]));
    found = { own: new Set(profile.bases.map(compared)), others };
    known.set(profile, found);
  }
  return found;
}

/** What the sender's addresses say of a base. */
export type Server =
  /** Its own, or taken for it: nothing says which are its own. */
  | { readonly kind: "own" | "assumed" }
  /** Another one, by the profile's name for it. */
  | { readonly kind: "named"; readonly name: string }
  /** Another one that the profile doesn't name. */
  | { readonly kind: "other"; readonly base: string };

/** Which server a base is. Where the profile names no base as the sender's own, every one is taken for it. */
export function serverUnder(base: string, { partner, profile }: Sender): Server {
  const found = knownTo(profile);
  const { last } = found;
  if (last?.base === base && last.partner === partner) return last.server;
  const server = serverOf(base, partner, found);
  found.last = { base, partner, server };
  return server;
}

function serverOf(base: string, partner: string, { own, others }: Known): Server {
  const wanted = compared(base);
  const name = others.get(wanted);
  if (name !== undefined) return { kind: "named", name };
  // What we answered as the place of a resource is the sender's own as well.
  if (own.has(wanted) || wanted.endsWith(`/partners/${encodeURIComponent(partner)}`)) return { kind: "own" };
  return own.size === 0 ? { kind: "assumed" } : { kind: "other", base: wanted };
}

/** Who assigns the ids of the sender's own resources. */
export const ownServer = ({ partner, profile }: Sender): string => profile.server ?? partner;

/**
 * Who assigns ids under a base. A server that the profile doesn't name is one only in this sender's words, so that no
 * address reaches another partner's records by itself.
 */
export function authorityUnder(base: string | undefined, sender: Sender): string {
  const server: Server = base === undefined ? { kind: "own" } : serverUnder(base, sender);
  if (server.kind === "named") return server.name;
  return server.kind === "other" ? `${server.base}@${ownServer(sender)}` : ownServer(sender);
}
