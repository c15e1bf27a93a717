import type { Metrics } from "../service/metrics.js";
import type { Intake } from "./connector.js";

/**
 * An intake that counts its units by verdict and measures how long each waits for the log. Envelopes are no units.
 * @param connector name that the metrics carry.
 */
export function meteredIntake(intake: Intake, connector: string, metrics: Pick<Metrics, "count" | "observe">): Intake {
  return {
    ...intake,
    async submit(units) {
      const began = performance.now();
      const submitted = await intake.submit(units);
      const seconds = (performance.now() - began) / 1000;
      for (const [index, { entry, partner, flags = [] }] of units.entries()) {
        const verdict = submitted[index]?.verdict;
        if (entry !== "UNIT" || !verdict) continue;
        const labels = verdict.accepted
          ? { verdict: "accepted", code: "" }
          : { verdict: "rejected", code: verdict.code };
        metrics.count("tributary_units_total", { connector, partner, ...labels });
        for (const flag of flags) metrics.count("tributary_unit_flags_total", { connector, flag });
        metrics.observe("tributary_answer_seconds", { connector }, seconds);
      }
      return submitted;
    },
  };
}
