import { describe, expect, it } from "vitest";
import { TributaryError } from "./errors.js";
import { createLogger } from "./logger.js";

function linesOf(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger("test", "info", { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("a log line", () => {
  it("keeps places and drops everything that is not on the list", () => {
    const [line] = linesOf((logger) => logger.info({ partner: "north", offset: 7, familyName: "Kunde" }, "accepted"));
    expect(line).toMatchObject({ partner: "north", offset: 7, msg: "accepted" });
    expect(JSON.stringify(line)).not.toContain("Kunde");
  });

  it("says with what status and why a delivery waits", () => {
    const told = { status: 503, reason: "the partner answers 503", attempt: 2, milliseconds: 1_000 };
    const [line] = linesOf((logger) => logger.warn(told, "a delivery waits for its next attempt"));
    expect(line).toMatchObject(told);
  });

  it("rebuilds a database error from its places, without detail or message", () => {
    const error = Object.assign(new Error('duplicate key value: Key (name)=(Kunde) "Kunde"'), {
      code: "23505",
      table: "patients",
      constraint: "patients_pkey",
      detail: "Key (name)=(Kunde) already exists.",
    });
    const written = JSON.stringify(linesOf((logger) => logger.error({ err: error }, "refused")));
    expect(written).toContain("patients_pkey");
    expect(written).toContain("23505");
    expect(written).not.toContain("Kunde");
  });

  it("never takes the text of an error that is given alone, nor of its cause", () => {
    const cause = new Error("invalid value Kunde");
    const written = JSON.stringify(linesOf((logger) => logger.error(new Error("Kunde is wrong", { cause }))));
    expect(written).toContain("frames");
    expect(written).not.toContain("Kunde");
  });

  it("writes code, message and remedy of the engine's own errors", () => {
    const [line] = linesOf((logger) =>
      logger.error(
        { err: new TributaryError("TRIB_CONFIG_INVALID", "Settings to correct: KAFKA_BROKERS.", { count: 1 }) },
        "stopped",
      ),
    );
    expect(line?.err).toMatchObject({
      code: "TRIB_CONFIG_INVALID",
      message: "Settings to correct: KAFKA_BROKERS.",
      count: 1,
    });
  });
});
