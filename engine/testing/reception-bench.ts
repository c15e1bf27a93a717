import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type Authentication, authenticationField } from "../reception/authentication.js";
import { openReception, type Reception, type ReceptionOptions } from "../reception/reception.js";
import { readSettings } from "../service/settings.js";

interface Profile {
  readonly authentication: readonly Authentication[];
}

/** A reception with partners and credentials of its own. */
export interface ReceptionBench {
  readonly reception: Reception;
  /** Address of a partner. */
  url(partner: string): string;
  close(): Promise<void>;
}

/**
 * Opens a reception with partners of the given authentications.
 * @param credentials files in its folder of credentials, by name.
 */
export async function startReceptionBench(
  partners: Readonly<Record<string, readonly unknown[]>>,
  options: Pick<ReceptionOptions<Profile>, "routes" | "problem"> & {
    readonly credentials?: Readonly<Record<string, string>>;
    readonly environment?: Readonly<Record<string, string>>;
    /** Folder of its state, for a reception that is opened again; default: one of its own. */
    readonly home?: string;
  },
): Promise<ReceptionBench> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), "tributary-reception-"));
  for (const [name, content] of Object.entries(options.credentials ?? {})) writeFileSync(join(home, name), content);
  const profiles = new Map<string, Profile>();
  for (const [partner, ways] of Object.entries(partners)) {
    profiles.set(partner, { authentication: authenticationField.parse(ways) });
  }
  const { routes, problem, environment } = options;
  const reception = await openReception({
    connector: "bench",
    settings: readSettings({ TRIBUTARY_HOME: home, CONNECTOR_CREDENTIALS: home, ...environment }),
    profiles,
    logger: pino({ level: "silent" }),
    routes,
    ...(problem && { problem }),
  });
  return {
    reception,
    url: (partner) => reception.addresses.find((one) => one.partner === partner)?.url ?? "http://nobody",
    async close() {
      await reception.close();
      if (options.home === undefined) rmSync(home, { recursive: true, force: true });
    },
  };
}
