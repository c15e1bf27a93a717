import { type PlayResult, playRegion } from "../../demo/deliver.js";
import type { Region } from "../../demo/region.js";
import { TributaryError } from "../../engine/service/errors.js";
import { registered } from "../../engine/service/registration.js";
import { print } from "../output.js";

/** Waits until every process of these names is registered and ready. @throws TRIB_CLI_NOT_RUNNING naming those that aren't. */
export async function untilReady(home: string, names: readonly string[], seconds = 60): Promise<void> {
  const until = Date.now() + seconds * 1000;
  let missing: string[] = [];
  do {
    const ready = new Set<string>();
    for (const { name, admin } of registered(home)) {
      const answer = admin ? await fetch(`${admin}/readyz`).catch(() => undefined) : undefined;
      if (answer?.ok) ready.add(name);
    }
    missing = names.filter((name) => !ready.has(name));
    if (missing.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (Date.now() < until);
  throw new TributaryError(
    "TRIB_CLI_NOT_RUNNING",
    `Not ready after ${seconds} s: ${missing.join(", ")}. Their logs are in ${home}/logs.`,
  );
}

/** Where the region's senders connect. */
export function connectorAddresses(home: string): { readonly mllp: string; readonly x12: string } {
  const of = (connector: string, protocol: string) =>
    registered(home)
      .find(({ kind, name }) => kind === "connector" && name === connector)
      ?.addresses.find((address) => address.protocol === protocol)?.url ?? "";
  return { mllp: of("hl7v2", "mllp"), x12: of("x12", "http") };
}

/** Plays a region over the connectors' real protocols, telling how far it is every two seconds. */
export async function play(region: Region, home: string): Promise<PlayResult> {
  const totals = new Map(region.senderNames.map((sender) => [sender, [...region.expectations(sender)].length]));
  const delivered = new Map<string, number>();
  let units = 0;
  const show = () => {
    const parts = [...totals].map(
      ([sender, total]) => `${sender} ${Math.floor((100 * (delivered.get(sender) ?? 0)) / Math.max(1, total))} %`,
    );
    print(`playing   ${units} units answered   ${parts.join("   ")}`);
  };
  const unitsOf = new Map<string, number>();
  const timer = setInterval(show, 2_000);
  try {
    return await playRegion(region, {
      addresses: connectorAddresses(home),
      onProgress: (progress) => {
        delivered.set(progress.sender, progress.delivered);
        units += progress.units - (unitsOf.get(progress.sender) ?? 0);
        unitsOf.set(progress.sender, progress.units);
      },
    });
  } finally {
    clearInterval(timer);
    show();
  }
}
