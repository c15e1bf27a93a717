import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isDead, processIdentity } from "../service/identity.js";
import { builtRoot } from "../service/root.js";
import { memberClientId } from "./dead-members.js";
import type { LaneHandler, Subscription } from "./log.js";
import { type OwnTopics, ownTopics } from "./own-topics.js";

const topic = "watched";
const group = "watchers";
let own: OwnTopics;
const children: ChildProcess[] = [];
const subscriptions: Subscription[] = [];

beforeAll(async () => {
  own = await ownTopics();
  await own.create(topic, 2);
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(subscriptions.map((subscription) => subscription.close()));
  await own.dispose();
});

/** A member in a process of its own, which prints a line for each lane it opens. */
async function memberProcess(): Promise<ChildProcess> {
  const module = (path: string) => JSON.stringify(pathToFileURL(join(builtRoot, path)).href);
  const script = `
    const { connectLog } = await import(${module("engine/log/kafka.js")});
    const { readSettings } = await import(${module("engine/service/settings.js")});
    const { createLogger } = await import(${module("engine/service/logger.js")});
    const log = connectLog(readSettings(), { clientId: "victim", logger: createLogger("victim", "silent") });
    const lane = () => ({ open: async () => (console.log("open"), 0), batch: async () => {}, close: async () => {} });
    await log.subscribe({ group: "${group}", topics: ["${topic}"], lane, onFailure: () => {} });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...process.env, TOPIC_PREFIX: own.settings.TOPIC_PREFIX },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let opened = "";
  for await (const chunk of child.stdout as NodeJS.ReadableStream) {
    opened += String(chunk);
    if (opened.match(/open/g)?.length === 2) break;
  }
  return child;
}

async function joined(): Promise<Subscription> {
  const lane = (): LaneHandler => ({ open: async () => 0, batch: async () => {}, close: async () => {} });
  const subscription = await own.log.subscribe({ group, topics: [topic], lane, onFailure: () => {} });
  subscriptions.push(subscription);
  return subscription;
}

describe("a member whose process was killed", () => {
  it("is dismissed by its successor long before its session times out", async () => {
    const victim = await memberProcess();
    victim.kill("SIGKILL");
    await once(victim, "exit");
    const startedAt = performance.now();
    const successor = await joined();
    await expect.poll(() => successor.assignment().length, { timeout: 5_000 }).toBe(2);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await successor.close();
  });

  it("is told from one that lives", async () => {
    const living = await memberProcess();
    const here = await joined();
    await expect.poll(() => here.assignment().length, { timeout: 10_000 }).toBe(1);
    const { groups } = await own.admin.describeGroups([`${own.settings.TOPIC_PREFIX}${group}`]);
    expect(groups[0]?.members.map(({ clientId }) => clientId).sort()).toEqual(
      [memberClientId("spec"), memberClientId("victim", processIdentity(living.pid))].sort(),
    );
  });
});

describe("the identity of a process", () => {
  it("is dead when it ended, and never when it is of another machine", async () => {
    const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
    const identity = processIdentity(child.pid) as string;
    expect(isDead(identity)).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isDead(identity)).toBe(true);
    expect(isDead(`elsewhere${identity}`)).toBe(false);
    expect(isDead(processIdentity() as string)).toBe(false);
  });
});
