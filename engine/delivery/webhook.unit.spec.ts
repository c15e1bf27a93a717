import { createHash, createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type PartnerEndpoint, partnerEndpoint } from "../testing/partner-endpoint.js";
import { backoff, judgeStatus, retryAfter } from "./answer.js";
import { deliveryIdOf } from "./cloud-event.js";
import type { Parcel } from "./destination.js";
import { type WebhookOptions, webhook } from "./webhook.js";

const bytes = (letter: string) => Buffer.from(letter.repeat(32));
const secrets: Readonly<Record<string, string>> = {
  "acme.whsec": `whsec_${bytes("a").toString("base64")}`,
  "acme-next.whsec": `whsec_${bytes("b").toString("base64")}`,
  "acme.whpk": `whpk_${bytes("c").toString("base64")}`,
};
const credentials = (name: string) => secrets[name] ?? "";
const parcel: Parcel = {
  deliveryId: deliveryIdOf("acme", "event-1"),
  eventId: "event-1",
  type: "health.visit.VisitStarted",
  source: "north",
  subject: "00000000-0000-4000-8000-000000000001",
  time: Date.UTC(2026, 0, 5),
  json: '{"facility":"NORTH"}',
  opened: false,
};
const never = new AbortController().signal;

let partner: PartnerEndpoint;
beforeEach(async () => {
  partner = await partnerEndpoint();
});
afterEach(() => partner.close());

const send = (options: Partial<WebhookOptions> = {}, sent = parcel) =>
  webhook({ url: partner.url, secrets: ["acme.whsec"], ...options })
    .open(credentials)
    .send(sent, never);

/** As a receiver would who has only the specification: https://www.standardwebhooks.com. */
const signature = (key: string, index = 0) => {
  const { headers, body } = partner.received[index]!;
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return `v1,${createHmac("sha256", bytes(key)).update(signed).digest("base64")}`;
};

describe("a webhook", () => {
  it("posts a CloudEvent, signed, with nothing of the data in its headers, and tells the hash of what it sent", async () => {
    const attempt = await send();
    const [request] = partner.received;
    expect(request?.headers["content-type"]).toBe("application/cloudevents+json; charset=utf-8");
    expect(request?.event).toEqual({
      specversion: "1.0",
      id: "event-1",
      source: "north",
      type: "health.visit.VisitStarted",
      subject: parcel.subject,
      time: "2026-01-05T00:00:00.000Z",
      datacontenttype: "application/json",
      data: { facility: "NORTH" },
    });
    expect(request?.headers["webhook-signature"]).toBe(signature("a"));
    expect(Math.abs(Number(request?.headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(5);
    expect(JSON.stringify(request?.headers)).not.toContain("NORTH");
    const sha256 = createHash("sha256")
      .update(request?.body ?? "")
      .digest();
    expect(attempt).toEqual({
      outcome: "delivered",
      sent: true,
      status: 204,
      reason: null,
      sha256,
      afterMilliseconds: undefined,
    });
  });

  it("signs with both secrets while they change", async () => {
    await send({ secrets: ["acme.whsec", "acme-next.whsec"] });
    expect(partner.received[0]?.headers["webhook-signature"]).toBe(`${signature("a")} ${signature("b")}`);
  });

  it("has the same id and the same bytes at every attempt, and a nonce where content was opened", async () => {
    await send({}, { ...parcel, opened: true });
    await send({}, { ...parcel, opened: true });
    const [first, second] = partner.received;
    expect(second).toMatchObject({ id: first!.id, body: first!.body });
    expect(first?.event.nonce).toMatch(/^[0-9a-f]{32}$/);
    await send({ secrets: ["acme-next.whsec"] }, { ...parcel, opened: true });
    expect(partner.received[2]?.event.nonce).not.toBe(first?.event.nonce);
  });

  it("follows no redirect", async () => {
    partner.answer = () => ({ status: 307, headers: { location: partner.url } });
    expect(await send()).toMatchObject({ outcome: "refused", status: 307 });
    expect(partner.received).toHaveLength(1);
  });

  it("waits for an answer no longer than told, and does not take an endless one to its end", async () => {
    partner.answer = () => new Promise(() => {});
    expect(await send({ timeoutSeconds: 0.2 })).toMatchObject({
      outcome: "transient",
      sent: true,
      status: null,
      reason: "the partner did not answer in time",
    });
    partner.answer = () => ({ status: 200, body: "x".repeat(5_000_000) });
    expect(await send()).toMatchObject({ outcome: "delivered", status: 200 });
  });

  it("takes a connection that is cut or refused for transient, and names no address", async () => {
    partner.answer = () => "cut";
    expect(await send()).toMatchObject({ outcome: "transient", sent: true, status: null });
    await partner.close();
    const refused = { outcome: "transient", sent: false, reason: "the partner could not be reached (ECONNREFUSED)" };
    expect(await send()).toMatchObject(refused);
    // A name that stands for several addresses.
    expect(await send({ url: partner.url.replace("127.0.0.1", "localhost") })).toMatchObject(refused);
  });

  it("is refused where data would leave the machine in the clear, or a secret would stand in the definition", () => {
    const fault = (options: Partial<WebhookOptions>) =>
      webhook({ url: "https://acme.example/events", secrets: ["acme.whsec"], ...options }).fault();
    expect(fault({})).toBeUndefined();
    expect(fault({ url: "http://localhost:8080/" })).toBeUndefined();
    expect(fault({ url: "http://acme.example/events" })).toContain("https");
    expect(fault({ url: "https://ada:pw@acme.example/" })).toContain("password");
    expect(fault({ secrets: ["../secret"] })).toContain("names of files");
    expect(fault({ secrets: [secrets["acme.whsec"] as string] })).toContain("names of files");
    expect(fault({ timeoutSeconds: 60 })).toContain("timeoutSeconds");
    const open = (options: Partial<WebhookOptions>) => () =>
      webhook({ url: partner.url, secrets: ["acme.whsec"], ...options }).open(credentials);
    expect(open({ secrets: ["acme.whpk"] })).toThrow("acme.whpk");
    expect(open({ url: { file: "acme.url" } })).toThrow("address");
  });
});

describe("what an answer says", () => {
  it.each([
    [200, "delivered"],
    [299, "delivered"],
    [302, "refused"],
    [400, "refused"],
    [404, "refused"],
    [408, "transient"],
    [410, "refused"],
    [425, "transient"],
    [429, "transient"],
    [500, "transient"],
    [503, "transient"],
  ])("%i: %s", (status, outcome) => expect(judgeStatus(status).outcome).toBe(outcome));

  it("reads Retry-After in seconds and as a date, and believes an hour at most", () => {
    const now = Date.UTC(2026, 0, 5, 12);
    expect(retryAfter("7", now)).toBe(7_000);
    expect(retryAfter("Mon, 05 Jan 2026 12:00:30 GMT", now)).toBe(30_000);
    expect(retryAfter("Mon, 05 Jan 2026 11:00:00 GMT", now)).toBe(0);
    expect(retryAfter("999999", now)).toBe(3_600_000);
    expect([retryAfter(null, now), retryAfter("soon", now), retryAfter("", now)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("waits ever longer, never all at once, and never less than the partner asks for", () => {
    const waits = [1, 2, 3, 20].map((attempts) => [backoff(attempts, 0), backoff(attempts, 1)]);
    expect(waits).toEqual([
      [250, 500],
      [500, 1000],
      [1000, 2000],
      [30_000, 60_000],
    ]);
    expect(backoff(1, 0, 9_000)).toBe(9_000);
  });
});
