import type { Metrics } from "../service/metrics.js";
import type { Intake, ReceivedUnit, SubmittedUnit } from "./connector.js";

type Counting = Pick<Metrics, "count" | "observe">;

interface ToldUnit {
  readonly partner: string;
  readonly flags: ReceivedUnit["flags"] | undefined;
}

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
export function meteredIntake(intake: Intake, connector: string, metrics: Counting): Intake {
  return {
    ...intake,
    submit(units) {
      const began = performance.now();
      // Apart from the units, which needn't be kept until the log has them.
      let last: ToldUnit | null = null;
      const told = units.map(({ entry, partner, flags }) => {
        if (entry !== "UNIT") return null;
        if (last?.partner !== partner || last.flags !== flags) last = { partner, flags };
        return last;
      });
      return intake.submit(units).then((submitted) => {
        countUnits(told, submitted, connector, metrics, (performance.now() - began) / 1000);
        return submitted;
      });
    },
  };
}

/** Counted together: by itself each costs as much as a keyed hash. */
function countUnits(
  told: readonly (ToldUnit | null)[],
  submitted: readonly SubmittedUnit[],
  connector: string,
  metrics: Counting,
  seconds: number,
): void {
  const verdicts = new Map<string, { readonly labels: Labels; units: number }>();
  const flagged = new Map<string, number>();
  let last: { readonly labels: Labels; units: number } | undefined;
  for (let index = 0; index < told.length; index++) {
    const unit = told[index];
    const verdict = submitted[index]?.verdict;
    if (!unit || !verdict) continue;
    const code = verdict.accepted ? "" : verdict.code;
    const { partner } = unit;
    if (last?.labels.code !== code || last.labels.partner !== partner) {
      const name = `${code} ${partner}`;
      const labels = { connector, partner, verdict: verdict.accepted ? "accepted" : "rejected", code };
      last = verdicts.get(name) ?? { labels, units: 0 };
      verdicts.set(name, last);
    }
    last.units += 1;
    for (const flag of unit.flags ?? []) flagged.set(flag, (flagged.get(flag) ?? 0) + 1);
  }
  for (const { labels, units } of verdicts.values()) metrics.count("tributary_units_total", labels, units);
  for (const [flag, times] of flagged) metrics.count("tributary_unit_flags_total", { connector, flag }, times);
  if (verdicts.size > 0) metrics.observe("tributary_answer_seconds", { connector }, seconds);
}
