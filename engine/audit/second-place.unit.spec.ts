import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { type ExportedHead, SecondPlace } from "./second-place.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-second-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("a signed head is there whole or not at all, whenever somebody looks, and is kept once", async () => {
  const place = { journal: "j", topic: "health.visit.events", partition: 0 };
  const head: ExportedHead = {
    ...place,
    size: 1_000_000,
    root: Buffer.alloc(32, 1),
    signedAt: 0,
    signature: Buffer.alloc(64),
    publicKey: Buffer.alloc(32),
    previous: 0,
    marks: Buffer.alloc(4_000_000, 7),
  };
  const second = new SecondPlace(folder);
  await expect(second.keep(head)).rejects.toMatchObject({ code: "TRIB_AUDIT_SECOND_PLACE_GONE" });
  await second.begin("j");
  let kept = false;
  let looks = 0;
  const keeping = second.keep(head).then(() => {
    kept = true;
  });
  for (; !kept; looks++) {
    expect((await second.readAll(place)).unreadable).toEqual([]);
    await turn();
  }
  await keeping;
  expect(looks).toBeGreaterThan(1);
  await second.keep(head);
  await expect(second.keep({ ...head, root: Buffer.alloc(32, 2) })).rejects.toMatchObject({
    code: "TRIB_AUDIT_HISTORY_DIVERGED",
  });
  expect((await second.readAll(place)).heads).toHaveLength(1);
  expect(readdirSync(join(folder, "j", "health.visit.events", "0"))).toHaveLength(1);
});
