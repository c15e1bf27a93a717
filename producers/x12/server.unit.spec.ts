import { createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { readSettings } from "../../engine/service/settings.js";
import { profileSchema } from "./profile.js";
import { send } from "./send.js";
import { openServer } from "./server.js";
import { deskOf, type TestDesk } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";

const bytes = interchange([claims837(...heading837, ...subscriber, ...claim)]);
const home = mkdtempSync(join(tmpdir(), "tributary-x12-server-"));
let server: Awaited<ReturnType<typeof openServer>> | undefined;
afterEach(() => server?.close());
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function start(desk: TestDesk, settings: Record<string, string> = {}): Promise<string> {
  const { intake, profiles, suspended } = desk;
  const given = readSettings({ TRIBUTARY_HOME: home, ...settings });
  server = await openServer(desk, {
    intake,
    profiles,
    ...(suspended && { suspended }),
    settings: given,
    logger: pino({ level: "silent" }),
  });
  return server.url;
}

const post = (url: string, body: Buffer, partner = "generic") =>
  fetch(`${url}/partners/${partner}/interchanges`, { method: "POST", body: new Uint8Array(body) });

async function lines(url: string, body: Buffer) {
  const found = [];
  const addresses = [{ protocol: "http", url }];
  for await (const line of send({ addresses, partner: "generic", file: "a.837", bytes: body })) found.push(line);
  return found;
}

describe("the server", () => {
  it("answers 200 with the 999 once the interchange is journalled, 422 when it was rejected", async () => {
    const desk = deskOf();
    const url = await start(desk);
    const good = await post(url, bytes);
    expect([good.status, good.headers.get("content-type")]).toEqual([200, "application/edi-x12"]);
    expect(await good.text()).toContain("IK5*A~");
    expect(desk.intake.published).toHaveLength(1);
    const again = await post(url, bytes);
    expect([again.status, await again.text()]).toEqual([422, expect.stringContaining("*R*025~")]);
  });

  it("answers 503 and Retry-After while nothing can be made durable, then takes the same bytes", async () => {
    const desk = deskOf();
    const url = await start(desk);
    desk.intake.failAfter = 0;
    const refused = await post(url, bytes);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    const { code } = (await refused.json()) as { readonly code: string };
    expect(code).toBe("TRIB_INTAKE_UNAVAILABLE");
    expect(await lines(url, bytes)).toMatchObject([{ accepted: false, code, answer: "503" }]);
    desk.intake.failAfter = null;
    expect((await post(url, bytes)).status).toBe(200);
  });

  it("tells a sender whose profile can't be used to come again, at its own address and at that of anybody", async () => {
    const out = { lake: { senders: ["SENDER"], no: 1 }, unread: undefined };
    for (const [partner, content] of Object.entries(out)) {
      const desk = deskOf();
      const url = await start({ ...desk, suspended: new Map([[partner, content]]) });
      const answers = await Promise.all([post(url, bytes), post(url, bytes, partner)]);
      expect(
        answers.map(({ status }) => status),
        partner,
      ).toEqual([503, 503]);
      expect(await answers[0]?.json()).toMatchObject({ code: "TRIB_RECEPTION_PARTNER_SUSPENDED" });
      expect(desk.intake.published).toEqual([]);
      await server?.close();
    }
  });

  it("answers 404 for an unknown partner, 400 for what is no X12, 413 above the limit", async () => {
    const url = await start(deskOf(), { X12_BODY_LIMIT: "2000" });
    expect((await post(url, bytes, "nobody")).status).toBe(404);
    const unreadable = await post(url, Buffer.from("hello"));
    expect(unreadable.status).toBe(400);
    expect(await unreadable.json()).toMatchObject({ code: "TRIB_X12_UNREADABLE", reason: "X12_NOT_AN_INTERCHANGE" });
    expect((await post(url, Buffer.alloc(0))).status).toBe(400);
    expect((await post(url, Buffer.alloc(3_000, "A"))).status).toBe(413);
  });

  it("lets a partner in that proves who it is, and says nothing about its interchange else", async () => {
    const secret = Buffer.from("a shared secret of 24 by");
    mkdirSync(join(home, "credentials"), { recursive: true });
    writeFileSync(join(home, "credentials", "lake.whsec"), `whsec_${secret.toString("base64")}`);
    const lake = profileSchema.parse({
      authentication: [{ method: "signature", keys: ["lake.whsec"] }],
      senders: ["SENDER"],
    });
    const desk = deskOf();
    const url = await start({ ...desk, profiles: new Map([["lake", lake]]) });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signed = (body: Buffer) => ({
      "webhook-id": "1",
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${createHmac("sha256", secret).update(`1.${timestamp}.`).update(body).digest("base64")}`,
    });
    const ask = (headers: Record<string, string>) =>
      fetch(`${url}/partners/lake/interchanges`, { method: "POST", body: new Uint8Array(bytes), headers });
    for (const headers of [{}, signed(Buffer.from("other bytes"))]) {
      const refused = await ask(headers);
      expect(refused.status).toBe(401);
      expect(await refused.json()).toMatchObject({ code: "TRIB_RECEPTION_UNAUTHENTICATED" });
    }
    expect(desk.intake.units).toEqual([]);
    expect((await ask(signed(bytes))).status).toBe(200);
    expect(desk.intake.units[0]).toMatchObject({ partner: "lake" });
  });

  it("takes a body larger than its memory share through a file, with the same result", async () => {
    const desk = deskOf();
    const many = Array.from({ length: 9000 }, (_, index) => claim.map((one) => one.replace("CLM*C1", `CLM*N${index}`)));
    const large = interchange([claims837(...heading837, ...subscriber, ...many.flat())]);
    expect(large.length).toBeGreaterThan(1_048_576);
    const response = await post(await start(desk), large);
    expect(response.status).toBe(200);
    expect(desk.intake.published).toHaveLength(9000);
  });
});

describe("send", () => {
  it("tells each unit its answer", async () => {
    const url = await start(deskOf());
    const line = { file: "a.837", index: 0, controlId: "000000001/1/0001/C1", ms: expect.any(Number) };
    expect(await lines(url, bytes)).toEqual([{ ...line, accepted: true, code: null, location: null, answer: "999:A" }]);
    expect(await lines(url, bytes)).toEqual([
      { ...line, accepted: false, code: "DUPLICATE", location: null, answer: "TA1:R:025" },
    ]);
    const bad = Buffer.from(bytes.toString("latin1").replace("CLM*C1*100.5", "CLM*C1*1OO.5"), "latin1");
    expect(await lines(url, bad)).toEqual([
      { ...line, accepted: false, code: "X12_IK4_6", location: "CLM02", answer: "999:R:5" },
    ]);
    const miscounted = Buffer.from(bytes.toString("latin1").replace("GE*1*1", "GE*2*1"), "latin1");
    expect(await lines(url, miscounted)).toMatchObject([{ accepted: false, code: "X12_AK9_5", answer: "999:AK9R:5" }]);
  });

  it("tells one line for what holds no unit", async () => {
    const url = await start(deskOf());
    expect(await lines(url, Buffer.from("hello"))).toMatchObject([
      { index: null, accepted: false, code: "X12_NOT_AN_INTERCHANGE", answer: "400" },
    ]);
  });

  it("says so when nobody listens", async () => {
    const addresses = [{ protocol: "http", url: "http://127.0.0.1:1" }];
    const sending = send({ addresses, partner: "generic", file: "a", bytes });
    await expect(sending[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "TRIB_CONNECTOR_UNREACHABLE" });
  });
});
