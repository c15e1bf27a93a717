/** What `consumers new NAME --delivers` writes: a webhook that tells of visits, to be changed into what is wanted. */

/** Path in the checkout -> content, formatted whatever the name's length. */
export function deliveryScaffold(name: string): ReadonlyMap<string, string> {
  return new Map([
    [
      `consumers/${name}/consumer.ts`,
      `import { webhook } from "../../engine/delivery/webhook.js";
import { consumer } from "../../engine/service/consumer.js";
import { events, map } from "./map.js";

export default consumer({
  name: "${name}",
  start: "latest",
  deliver: {
    events,
    to: webhook({
      url: { file: "${name}.url" },
      secrets: ["${name}.whsec"],
    }),
    map,
  },
});
`,
    ],
    [
      `consumers/${name}/map.ts`,
      `import type { MappedEvent } from "../../engine/delivery/definition.js";
import type { JsonValue } from "../../engine/projector/definition.js";

/** The events that the partner is told of. */
export const events = ["VisitStarted", "VisitEnded"] as const;

/** Pure: no clock, no random, no input or output. The same event gives the same body at every attempt. */
export function map({ type, event, key }: MappedEvent<(typeof events)[number]>): JsonValue | undefined {
  return {
    visit: key,
    what: type === "VisitStarted" ? "started" : "ended",
    facility: event.facility,
    at: new Date(event.meta.time).toISOString(),
  };
}
`,
    ],
    [
      `consumers/${name}/map.unit.spec.ts`,
      `import { expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { mapped } from "../../engine/testing/mapped.js";
import definition from "./consumer.js";

const visit = "00000000-0000-4000-8000-000000000001";

it("given a visit that started, when mapped, then the partner is told which and when", () => {
  const fields = { facility: "NORTH", authority: "NORTH" };
  const events = recorded([{ type: "VisitStarted", key: visit, time: Date.UTC(2026, 0, 5), fields }]);
  const told = { visit, what: "started", facility: "NORTH", at: "2026-01-05T00:00:00.000Z" };
  expect(mapped(definition, events)).toEqual([told]);
});
`,
    ],
    [
      `consumers/${name}/README.md`,
      `# ${name}

Tells a partner which visits started and ended, from the day it first runs: a webhook, signed as [Standard Webhooks](https://www.standardwebhooks.com) says, CloudEvents in JSON.

In the folder of credentials (\`DELIVERY_CREDENTIALS\`): \`${name}.url\`, the address (https), and \`${name}.whsec\`, the secret that the partner has, too.

What is sent is in \`map.ts\`; how it behaves, in [docs/delivering.md](../../docs/delivering.md).
`,
    ],
  ]);
}
