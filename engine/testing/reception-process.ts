import { once } from "node:events";
import { get } from "node:https";
import type { Route } from "../reception/reception.js";
import { startReceptionBench } from "./reception-bench.js";

/** A reception in a process of its own, which may trust other authorities than its parent. It lives until it is ended. */
export interface ReceptionTask {
  readonly partners: Readonly<Record<string, readonly unknown[]>>;
  readonly environment: Readonly<Record<string, string>>;
}

export interface ReceptionReport {
  /** Address of a thing that can be posted to, by partner. */
  readonly urls: Readonly<Record<string, string>>;
  /** Whether this process believes its own certificate, as everybody does that a public authority vouches for. */
  readonly isPublic: boolean;
}

const route: Route<never> = { method: "POST", path: "/things", take: async () => ({ status: 200, body: "taken" }) };

/** Whether the server's certificate is believed by the authorities that Node knows by itself. */
const isBelieved = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = get(url, { agent: false, checkServerIdentity: () => undefined }, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on("error", () => resolve(false));
  });

const [task] = (await once(process, "message")) as [ReceptionTask];
const bench = await startReceptionBench(task.partners, { routes: [route], environment: task.environment });
const urls = Object.fromEntries(Object.keys(task.partners).map((name) => [name, `${bench.url(name)}/things`]));
const report: ReceptionReport = { urls, isPublic: await isBelieved(Object.values(urls)[0] as string) };
process.send?.(report);
