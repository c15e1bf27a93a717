import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, it, onTestFinished } from "vitest";
import { readSettings } from "../../engine/service/settings.js";
import { recordingIntake } from "../../engine/testing/recording-intake.js";
import connector from "./connector.js";
import { messageOf } from "./testing/messages.js";

it("all others are served while a partner's own port can't be had, and then that one too", async () => {
  const home = mkdtempSync(join(tmpdir(), "tributary-port-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const intake = recordingIntake();
  const start = async (profiles: Record<string, object>) => {
    const receiver = await connector.receive({
      intake,
      settings: readSettings({ TRIBUTARY_HOME: home }),
      profiles: new Map(Object.entries(profiles).map(([name, profile]) => [name, connector.profile.parse(profile)])),
      logger: pino({ level: "silent" }),
    });
    onTestFinished(() => receiver.close());
    return { receiver, url: receiver.addresses[0]?.url ?? "" };
  };
  const answerAt = async (url: string, partner: string) => {
    const bytes = Buffer.from(messageOf());
    for await (const line of connector.send({ addresses: [{ protocol: "mllp", url }], partner, file: "", bytes }))
      return line.answer;
  };
  const taken = await start({});
  const { url } = await start({ generic: {}, special: { port: Number(new URL(taken.url).port) } });
  expect(await answerAt(url, "generic")).toBe("AA");
  await taken.receiver.close();
  await expect.poll(() => answerAt(taken.url, "special").catch(() => "nobody"), { timeout: 5_000 }).toBe("AA");
  expect(intake.units.map(({ partner }) => partner)).toEqual(["generic", "special"]);
});
