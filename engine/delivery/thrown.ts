import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { builtRoot, repositoryRoot } from "../service/root.js";

/** Most frames that are told: where it was thrown, and what called that. */
const mostFrames = 3;

/**
 * What was thrown, by class and place: `TypeError at consumers/acme/map.ts:12, …`. Never its message, which may hold values
 * of the event.
 */
export function thrownAt(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error}`;
  const name: unknown = error.constructor.name;
  const kind = typeof name === "string" && /^[A-Za-z_$][\w$]{0,60}$/.test(name) ? name : "Error";
  const { stack = "", message } = error;
  // The stack repeats the message, whose lines could look like frames; after the message only frames follow.
  const begin = stack.indexOf(message);
  const frames = begin < 0 ? [] : stack.slice(begin + message.length).split("\n");
  const places = frames.flatMap((frame) => placeOf(frame) ?? []).slice(0, mostFrames);
  return places.length === 0 ? kind : `${kind} at ${places.join(", ")}`;
}

/** File and line of a frame within the checkout; what is elsewhere is not ours to name. */
function placeOf(frame: string): string | undefined {
  const [, file, line] = /^\s+at (?:.* \()?((?:file:\/\/)?\/[^()]*):(\d+):\d+\)?$/.exec(frame) ?? [];
  if (file === undefined) return undefined;
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const inBuilt = relative(builtRoot, path);
  const place = inBuilt.startsWith("..") ? relative(repositoryRoot, path) : inBuilt;
  return place.startsWith("..") || place.startsWith("node_modules") ? undefined : `${place}:${line}`;
}
