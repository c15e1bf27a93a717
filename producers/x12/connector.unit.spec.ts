import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, it } from "vitest";
import { readSettings } from "../../engine/service/settings.js";
import connector from "./connector.js";
import { profiles } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";
import { RecordingIntake } from "./testing/recording-intake.js";

it("listens where it says, and takes what it sends itself", async () => {
  const home = mkdtempSync(join(tmpdir(), "tributary-x12-spec-"));
  const intake = new RecordingIntake();
  const settings = readSettings({ TRIBUTARY_HOME: home });
  const receiver = await connector.receive({ intake, settings, profiles, logger: pino({ level: "silent" }) });
  try {
    expect(receiver.addresses.map(({ protocol, partner }) => [protocol, partner])).toEqual([
      ["http", undefined],
      ...[...profiles.keys()].flatMap((partner) => [
        ["http", partner],
        ["file", partner],
      ]),
    ]);
    for (const { protocol, url, partner } of receiver.addresses)
      if (protocol === "http" && partner) expect((await fetch(url, { method: "POST", body: "ISA" })).status).toBe(400);
    const bytes = interchange([claims837(...heading837, ...subscriber, ...claim)]);
    const request = { addresses: receiver.addresses, partner: "generic", file: "a", bytes, rate: 1000 };
    const answers = [];
    for await (const line of connector.send(request)) answers.push(line.answer);
    expect(answers).toEqual(["999:A"]);
  } finally {
    await receiver.close();
    rmSync(home, { recursive: true, force: true });
  }
  // What was answered is in the journal once the connector has closed.
  expect(intake.units.at(-1)!.format).toBe("X12 answer");
});
