import { createHash } from "node:crypto";
import type { EventDraft } from "../../../engine/intake/connector.js";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";
import { readOutbox } from "../outbox.js";
import { profileSchema } from "../profile.js";
import { normalisedContent, segmentMessage } from "../split.js";
import { type ReadMessage, readMessage } from "../unit.js";

/** A sample message read by the `generic` profile, with its content as resends are told by. */
export interface SampleMessage {
  readonly bytes: Buffer;
  readonly read: ReadMessage;
  readonly content: string;
}

const profiles = new Map([["generic", profileSchema.parse({})]]);

export function readSampleMessages(file: Buffer): SampleMessage[] {
  return readOutbox(file).messages.map((bytes) => ({
    bytes,
    read: readMessage(bytes, { profiles, surrogate: testSurrogate, receivedAt: 0 }),
    content: createHash("sha256")
      .update(normalisedContent(segmentMessage(bytes.toString("latin1"))))
      .digest("hex"),
  }));
}

/** Count and SHA-256 of a listing: unique lines, by code point, each ended by LF. */
export function listing(lines: Iterable<string>): { count: number; sha256: string } {
  const sorted = [...new Set(lines)].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  const sha256 = createHash("sha256")
    .update(sorted.map((line) => `${line}\n`).join(""))
    .digest("hex");
  return { count: sorted.length, sha256 };
}

/** Counts of a word, in the order of the words. */
export function counts(words: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const word of [...words].sort()) found[word] = (found[word] ?? 0) + 1;
  return found;
}

const eventsOf = (messages: readonly SampleMessage[]): EventDraft[] =>
  messages.flatMap(({ read }) => [...read.unit.events]);

/** `authority TAB type TAB value` of every identifier in the patients' events. */
export function identifierLines(messages: readonly SampleMessage[]): string[] {
  const lines: string[] = [];
  for (const event of eventsOf(messages)) {
    if (event.type !== "PatientRegistered" && event.type !== "PatientUpdated") continue;
    const values = event.sealed?.identifierValues ?? [];
    (event.fields.identifiers ?? []).forEach(({ authority, type }, index) => {
      lines.push(`${authority}\t${type}\t${values[index]}`);
    });
  }
  return lines;
}

/** `retired TAB survivor` (each `authority|value`), chains followed to the end. */
export function survivorLines(messages: readonly SampleMessage[]): string[] {
  const next = new Map<string, string>();
  const events = eventsOf(messages);
  events.forEach((event, index) => {
    const other = events[index + 1];
    if (event.type !== "PatientsMerged" || event.fields.role !== "SURVIVING" || other?.type !== "PatientsMerged")
      return;
    (event.fields.merges ?? []).forEach(({ retired, surviving }, at) => {
      next.set(
        `${retired.authority}|${other.sealed?.values?.[at]}`,
        `${surviving.authority}|${event.sealed?.values?.[at]}`,
      );
    });
  });
  return [...next].flatMap(([from, to]) => {
    const seen = new Set([from]);
    let end = to;
    while (next.has(end) && !seen.has(end)) {
      seen.add(end);
      end = next.get(end) as string;
    }
    return seen.has(end) ? [] : [`${from}\t${end}`];
  });
}

/** Messages without the resends: same sender, control id and content. */
export function withoutResends(messages: readonly SampleMessage[]): SampleMessage[] {
  const seen = new Set<string>();
  return messages.filter(({ read, content }) => {
    const { controlId } = read.unit;
    if (controlId === undefined) return true;
    const key = JSON.stringify([controlId, content]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

interface VisitState {
  status: string;
  under: string[];
  places: string[];
  class: string;
}

/** A visit's facts by the table of statuses that the samples' expected facts follow. */
function applyVisit(state: VisitState, event: EventDraft): void {
  const open = (status: string) => {
    if (state.status !== "discharged") state.status = status;
    else if (state.under.length > 0) state.under[state.under.length - 1] = status;
  };
  if ("class" in event.fields && event.fields.class && !("kind" in event.fields)) state.class = event.fields.class;
  const place = "location" in event.fields ? event.fields.location : null;
  switch (event.type) {
    case "VisitStarted":
      open(event.fields.admission === "ADMITTED" ? "admitted" : "registered");
      if (place) state.places.push(place);
      break;
    case "VisitPreAdmitted":
      open(event.fields.pending ? "pending" : "preadmitted");
      if (place) state.places.push(place);
      break;
    case "VisitTransferred":
      if (place) state.places.push(place);
      break;
    case "VisitUpdated":
      if (place) state.places[Math.max(state.places.length - 1, 0)] = place;
      break;
    case "VisitEnded":
      if (state.status !== "discharged") state.under.push(state.status === "referenced" ? "admitted" : state.status);
      state.status = "discharged";
      break;
    case "TransferCancelled":
      if (state.places.length > 1) state.places.pop();
      break;
    case "EndCancelled":
      if (state.status === "discharged") state.status = state.under.pop() ?? "admitted";
      else if (state.status === "referenced") state.status = "admitted";
      break;
    case "VisitCancelled":
      if (event.fields.cancels === "START" && ["admitted", "registered", "referenced"].includes(state.status)) {
        if (state.status !== "referenced") state.under.push(state.status);
        state.status = "cancelled";
      }
      if (event.fields.cancels === "PRE_ADMISSION" && ["preadmitted", "pending"].includes(state.status)) {
        state.status = "cancelled";
      }
      break;
  }
}

/** `authority|number TAB status TAB class TAB location` of every visit, the events in the order given. */
export function visitLines(messages: readonly SampleMessage[], order: "arrival" | "event time"): string[] {
  const visits = new Map<string, VisitState>();
  const events = eventsOf(withoutResends(messages));
  if (order === "event time") events.sort((left, right) => left.time - right.time);
  for (const event of events) {
    if (event.sealed === undefined || !("visitNumber" in event.sealed)) continue;
    if (!("authority" in event.fields)) continue;
    const key = `${event.fields.authority}|${event.sealed.visitNumber}`;
    const state = visits.get(key) ?? { status: "referenced", under: [], places: [], class: "" };
    visits.set(key, state);
    applyVisit(state, event);
  }
  return [...visits].map(
    ([key, { status, class: kind, places }]) => `${key}\t${status}\t${kind}\t${places.at(-1) ?? ""}`,
  );
}
