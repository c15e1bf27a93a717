import { Hl7Context, Hl7Field } from "@medplum/core";
import type { Delimiters } from "./delimiters.js";
import { undoEscapes } from "./escape.js";

/**
 * A segment. Splitting and escapes are ours (the library takes raw breaks for segments, and leaves escapes alone); taking
 * a field apart is the library's, and done when it is first asked for: most fields of a message never are.
 */
export class Segment {
  readonly name: string;
  readonly text: string;
  readonly #context: Hl7Context;
  #texts: readonly string[] | undefined;
  readonly #fields: (Hl7Field | undefined)[] = [];

  constructor(text: string, context: Hl7Context) {
    const end = text.indexOf(context.fieldSeparator);
    this.name = end < 0 ? text : text.slice(0, end);
    this.text = text;
    this.#context = context;
  }

  /** A field as sent, undefined when absent. Counts as the standard does: MSH-1 is the separator. */
  fieldText(number: number): string | undefined {
    this.#texts ??= this.text.split(this.#context.fieldSeparator);
    if (this.name !== "MSH") return this.#texts[number];
    return number === 1 ? this.#context.fieldSeparator : this.#texts[number - 1];
  }

  /** A field's repetitions, each as its components; undefined when absent. */
  repetitions(number: number): readonly (readonly string[])[] | undefined {
    const text = this.fieldText(number);
    if (text === undefined || text === "") return undefined;
    // MSH-1 and MSH-2 are delimiters, not values that contain some.
    if (this.name === "MSH" && number <= 2) return [[text]];
    this.#fields[number] ??= Hl7Field.parse(text, this.#context);
    return this.#fields[number].components;
  }
}

/** A message in segments, with the delimiters it declared. */
export interface Message {
  readonly delimiters: Delimiters;
  readonly segments: readonly Segment[];
  readonly header: Segment;
}

/** @param segments split and decoded before; the first is MSH. */
export function parseMessage(segments: readonly string[], delimiters: Delimiters): Message {
  const { field, component, repetition, escape: mark, subcomponent } = delimiters;
  const context = new Hl7Context("\r", field, component, repetition, mark, subcomponent);
  const parsed = segments.map((segment) => new Segment(segment, context));
  return { delimiters, segments: parsed, header: parsed[0] as Segment };
}

/** Most segments of a message, of those that name patients, and repetitions in these: beyond any real one, and soon read. */
const most = { segments: 100_000, naming: 1_000, repetitions: 10_000 };

/** Whether a message has more segments, or names more patients or identifiers, than are read. */
export function hasTooMuch({ segments, delimiters }: Message): boolean {
  if (segments.length > most.segments) return true;
  const naming = segments.filter(({ name }) => name === "PID" || name === "MRG");
  if (naming.length > most.naming) return true;
  const repetitions = naming.reduce((count, { text }) => count + text.split(delimiters.repetition).length - 1, 0);
  return repetitions > most.repetitions;
}

export const segmentNamed = (message: Message, name: string): Segment | undefined =>
  message.segments.find((segment) => segment.name === name);

/** A field as sent, with its delimiters; empty when absent. Fields count as the standard counts them (MSH-1 is the separator). */
export function rawField(segment: Segment | undefined, number: number): string {
  return segment?.fieldText(number) ?? "";
}

/** Repetitions of a field, each as its components. */
export function repetitions(segment: Segment | undefined, number: number): readonly (readonly string[])[] {
  return segment?.repetitions(number) ?? [];
}

/** A component of a field's first repetition, as sent and trimmed; empty when absent. Counts from 1. */
export function component(segment: Segment | undefined, number: number, part: number): string {
  return partOf(repetitions(segment, number)[0], part);
}

/** A component of a repetition, as sent and trimmed; empty when absent. Counts from 1. */
export function partOf(repetition: readonly string[] | undefined, part: number): string {
  return repetition?.[part - 1]?.trim() ?? "";
}

/** A subcomponent, escapes undone. Counts from 1. */
export function subcomponent(text: string, part: number, delimiters: Delimiters): string {
  const piece = text.includes(delimiters.subcomponent)
    ? (text.split(delimiters.subcomponent)[part - 1] ?? "")
    : part === 1
      ? text
      : "";
  return undoEscapes(piece.trim(), delimiters);
}

/** HL7's explicit null: two quotes, which delete a value instead of leaving it as it is. */
export const NULL_VALUE = '""';

/**
 * The trigger event of a message: MSH-9.2; where that is empty EVN-1, as v2.1 has it. (Where both are there they may
 * differ, and MSH-9 counts.)
 */
export const triggerOf = (message: Message): string =>
  component(message.header, 9, 2) || component(segmentNamed(message, "EVN"), 1, 1);

/** Empty and null are both no value. */
export const orNull = (text: string): string | null => (text === "" || text === NULL_VALUE ? null : text);

/** Position of a segment among those of its name, from 1. */
export function occurrence(message: Message, segment: Segment): number {
  let count = 0;
  for (const other of message.segments) {
    if (other.name === segment.name) count++;
    if (other === segment) break;
  }
  return count;
}

/** A place in a message: `PID-3`, or `OBX[2]-5` for a later segment of that name. */
export function placeOf(message: Message, segment: Segment, field?: number): string {
  const count = occurrence(message, segment);
  const name = count > 1 ? `${segment.name}[${count}]` : segment.name;
  return field === undefined ? name : `${name}-${field}`;
}
