import { expect, it } from "vitest";
import { retranslate } from "../../engine/intake/retranslate.js";
import type { Log } from "../../engine/log/log.js";
import type { Region } from "../region.js";
import { january, sayings, translations } from "../retranslation/sayings.js";

/** Translating again in a region that is there once a test runs. */
export function erasedWhileTranslated(region: () => Region): void {
  const { visitOf, patientOf, unitOf, options, erase } = sayings(region);

  it("of a patient of whom a unit is translated again reaches what is written after it", async () => {
    const since = Date.now();
    await region().intake.submit([unitOf(["late", "start", january, "A"], translations.wrong)]);
    await region().settle();
    const { log } = region().kafka;
    // All is opened and asked; erased a moment before it is written, it is written under the key that is gone.
    const producer: Log["producer"] = async () => {
      const inner = await log.producer();
      const append: typeof inner.append = async (records) => {
        await erase("late");
        return inner.append(records);
      };
      return { ...inner, append, close: () => inner.close() };
    };
    const again = options({ filter: { since }, log: { ...log, producer } });
    expect(await retranslate(again)).toMatchObject({ changed: 1, erased: 0 });
    await region().settle();
    const row = "SELECT location, visit_number FROM projections_restricted.visits WHERE visit_id = $1";
    expect(await region().rows(row, [visitOf("late")])).toEqual([{ location: "A", visit_number: null }]);
    const living = "SELECT FROM engine.vault_keys WHERE subject = $1 AND wrapped IS NOT NULL";
    expect(await region().rows(living, [patientOf("late")])).toEqual([]);
    expect(await erase("late")).toMatchObject({ outcome: "nothing", left: { units: 0 } });
  });
}
