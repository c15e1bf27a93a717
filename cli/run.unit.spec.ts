import { expect, it } from "vitest";
import type { Registration } from "../engine/service/registration.js";
import { runningAlready } from "./run.js";

const process = (name: string, kind: Registration["kind"], pid: number): Registration => ({
  name,
  kind,
  pid,
  identity: "",
  addresses: [],
  admin: null,
});

it("tells who has a process that is asked for and runs already, and says nothing of others", () => {
  const running = [process("run-7", "supervisor", 7), process("visits", "consumer", 8)];
  expect(runningAlready(["visits", "claims"], running)).toEqual([
    "visits runs already as process 8 under `tributary run` (process 7): it is started here when that one ends",
  ]);
});
