import type { ReceivedUnit } from "../../../engine/intake/connector.js";
import { recordingIntake } from "../../../engine/testing/recording-intake.js";
import { loadDefinitions } from "../definitions.js";
import { type Desk, receiveOne } from "../desk.js";
import { openBody } from "../open-body.js";
import { profileSchema } from "../profile.js";
import { receiveBundle } from "../receive-bundle.js";
import { receiveLines } from "../receive-lines.js";

/** A desk with the profile `generic`, whose units can be looked at. */
export function testDesk(profile: object = {}) {
  loadDefinitions();
  const intake = recordingIntake();
  const failures: unknown[] = [];
  const desk: Desk = {
    intake,
    profiles: new Map([["generic", profileSchema.parse(profile)]]),
    now: () => Date.UTC(2026, 0, 2),
    onFailure: (error) => failures.push(error),
  };
  return { desk, intake, failures };
}

/** Takes a file in, whatever it holds. @returns its units, without what surrounds them. */
export async function unitsOf(
  bytes: Buffer,
  lines: boolean,
  { desk, intake } = testDesk(),
): Promise<readonly ReceivedUnit[]> {
  const found = lines ? undefined : openBody(bytes);
  const before = intake.units.length;
  if (!found) await receiveLines([bytes], "generic", desk, 10_000_000);
  else if ("bundle" in found) await receiveBundle(bytes, found.bundle, "generic", desk);
  else await receiveOne(bytes, found.opened, { stored: true }, "generic", desk);
  return intake.units.slice(before).filter(({ entry }) => entry === "UNIT");
}
