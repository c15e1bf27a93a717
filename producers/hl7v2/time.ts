import type { EventInputsTimePrecision } from "../../engine/intake/connector.js";
import { instantOf, parseTimeStamp, type TimeStamp, type Zone } from "./datetime.js";
import { component, type Message, type Segment, segmentNamed } from "./message.js";

/** When a message says that it happened. */
export interface EventTime {
  /** Epoch milliseconds. */
  readonly time: number;
  readonly timePrecision: EventInputsTimePrecision;
}

/** A field of type TS, DTM or DT; undefined when empty or no time. */
export function timeStamp(segment: Segment | undefined, field: number): TimeStamp | undefined {
  const text = component(segment, field, 1);
  return text === "" ? undefined : parseTimeStamp(text);
}

/** A field's instant, epoch milliseconds; null when empty or no time. */
export function instantField(segment: Segment | undefined, field: number, zone: Zone): number | null {
  const stamp = timeStamp(segment, field);
  return stamp === undefined ? null : instantOf(stamp, zone);
}

/**
 * What the times of a message are read by that have no offset: the offset of MSH-7, which stands for the whole message
 * (HL7 v2.9 chapter 2.14.9.7), else the sender's zone.
 */
export const zoneOf = (message: Message, zone: string): Zone => timeStamp(message.header, 7)?.offset ?? zone;

/**
 * When the message's event happened: EVN-2, else MSH-7; where the sender gives neither, the time of receipt.
 * @param zone for times without an offset.
 * @param receivedAt epoch milliseconds.
 */
export function eventTime(message: Message, zone: Zone, receivedAt: number): EventTime {
  const stamp = timeStamp(segmentNamed(message, "EVN"), 2) ?? timeStamp(message.header, 7);
  if (stamp === undefined) return { time: receivedAt, timePrecision: "MILLISECOND" };
  return { time: instantOf(stamp, zone), timePrecision: stamp.precision };
}
