import { describe, expect, it } from "vitest";
import { checkUnit } from "../engine/intake/check-unit.js";
import type { ReceivedUnit } from "../engine/intake/connector.js";
import { standaloneCodec } from "../engine/log/codec.js";
import { allProjections, connectorNames, loadConnector } from "../engine/service/discover.js";
import { startConnectorBench } from "../engine/testing/connector-bench.js";
import { recorded } from "../engine/testing/events.js";
import { foldWithParked } from "../engine/testing/fold.js";
import { stretchedDeliveries } from "./stretched/deliveries.js";

const codec = standaloneCodec();

/** As it is read back from the log: half a character is none. */
const asWritten = (value: object): object =>
  JSON.parse(JSON.stringify(value), (_name, item) =>
    typeof item === "string" ? Buffer.from(item).toString("utf8") : item,
  );

/** Events of units that the journal would take, as their topics have them. */
function eventsOf(units: readonly ReceivedUnit[], connector: string) {
  const context = { codec, connector: { name: connector, version: "1" }, unitLimit: 10_000_000, eventLimit: 900_000 };
  const accepted = units.filter((unit) => unit.verdict.accepted && checkUnit(unit, context).accepted);
  const drafts = accepted.flatMap(({ events }) => events);
  return recorded(
    drafts.map(({ type, subject, fields, sealed, time }) =>
      asWritten({ type, key: subject, fields, sealed, time }),
    ) as never,
  );
}

describe("what is accepted holds no key back", () => {
  it.each(connectorNames())("of %s, whatever its values are stretched to", async (name) => {
    const projections = await allProjections();
    const bench = await startConnectorBench(await loadConnector(name));
    try {
      const held = new Set<string>();
      let folded = 0;
      const fold = () => {
        const events = eventsOf(bench.intake.units.splice(0), name);
        folded += events.length;
        for (const projection of projections)
          for (const { reason } of foldWithParked(projection, events).parked) held.add(`${projection.name}: ${reason}`);
      };
      for (const bytes of stretchedDeliveries[name]?.() ?? []) {
        await bench.send(bytes);
        // A key that is held hides what comes after it, so few at a time.
        if (bench.intake.units.length >= 60) fold();
      }
      fold();
      expect([...held]).toEqual([]);
      expect(folded).toBeGreaterThan(100);
    } finally {
      await bench.close();
    }
  });
});
