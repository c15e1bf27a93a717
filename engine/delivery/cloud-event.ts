import { createHmac, hash } from "node:crypto";
import { uuidOf } from "../intake/keyed-hash.js";
import type { Parcel } from "./destination.js";

/** Media type of a CloudEvent in structured JSON (CloudEvents 1.0, JSON format). */
export const cloudEventType = "application/cloudevents+json";

/** Id of a delivery: a function of consumer and event alone, so every attempt and every process says the same. */
export const deliveryIdOf = (consumer: string, eventId: string): string =>
  uuidOf(hash("sha256", `${consumer}\0${eventId}`, "binary"));

/**
 * The body of a delivery: a CloudEvent in structured JSON. Pure: every attempt has the same bytes while the secret is the same.
 *
 * Where content was opened it has an attribute `nonce`: the hash of the body is kept, and must not let anyone who reads it
 * try out names and birth dates.
 * @param secret of the destination.
 */
export function bodyOf(parcel: Parcel, secret: Buffer): Buffer {
  const { deliveryId, eventId, type, source, subject, time, json, opened } = parcel;
  const attributes = {
    specversion: "1.0",
    id: eventId,
    source,
    type,
    subject,
    time: new Date(time).toISOString(),
    datacontenttype: "application/json",
    ...(opened
      ? { nonce: createHmac("sha256", secret).update(`nonce\0${deliveryId}`).digest("hex").slice(0, 32) }
      : {}),
  };
  return Buffer.from(`${JSON.stringify(attributes).slice(0, -1)},"data":${json}}`);
}
