import type { EventInputsTimePrecision } from "../../engine/intake/connector.js";
import { instantOf, parseTimeStamp, type TimeStamp } from "./datetime.js";
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
export function instantField(segment: Segment | undefined, field: number, zone: string): number | null {
  const stamp = timeStamp(segment, field);
  return stamp === undefined ? null : instantOf(stamp, zone);
}

/**
 * When the message's event happened: EVN-2, else MSH-7; where the sender gives neither, the time of receipt.
 * @param zone the sender's time zone, for times without an offset.
 * @param receivedAt epoch milliseconds.
 */
export function eventTime(message: Message, zone: string, receivedAt: number): EventTime {
  const stamp = timeStamp(segmentNamed(message, "EVN"), 2) ?? timeStamp(message.header, 7);
  if (stamp === undefined) return { time: receivedAt, timePrecision: "MILLISECOND" };
  return { time: instantOf(stamp, zone), timePrecision: stamp.precision };
}
