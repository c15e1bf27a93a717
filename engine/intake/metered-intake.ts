import type { Metrics } from "../service/metrics.js";
import type { Intake, ReceivedUnit } from "./connector.js";

interface Labels {
  readonly connector: string;
  readonly partner: string;
  readonly verdict: string;
  readonly code: string;
}

/**
 * An intake that counts its units by verdict and measures how long those submitted together wait for the log. Envelopes are no units.
 * @param connector name that the metrics carry.
 */
export function meteredIntake(intake: Intake, connector: string, metrics: Pick<Metrics, "count" | "observe">): Intake {
  return {
    ...intake,
    async submit(units) {
      const began = performance.now();
      const submitted = await intake.submit(units);
      const seconds = (performance.now() - began) / 1000;
      // Counted together: by itself each costs as much as a keyed hash.
      const verdicts = new Map<string, { readonly labels: Labels; units: number }>();
      const flagged = new Map<string, number>();
      for (let index = 0; index < units.length; index++) {
        const { entry, partner, flags } = units[index] as ReceivedUnit;
        const verdict = submitted[index]?.verdict;
        if (entry !== "UNIT" || !verdict) continue;
        const code = verdict.accepted ? "" : verdict.code;
        const name = `${code} ${partner}`;
        const counted = verdicts.get(name);
        if (counted) counted.units += 1;
        else {
          const labels = { connector, partner, verdict: verdict.accepted ? "accepted" : "rejected", code };
          verdicts.set(name, { labels, units: 1 });
        }
        if (flags) for (const flag of flags) flagged.set(flag, (flagged.get(flag) ?? 0) + 1);
      }
      for (const counted of verdicts.values()) metrics.count("tributary_units_total", counted.labels, counted.units);
      for (const [flag, times] of flagged) metrics.count("tributary_unit_flags_total", { connector, flag }, times);
      if (verdicts.size > 0) metrics.observe("tributary_answer_seconds", { connector }, seconds);
      return submitted;
    },
  };
}
