import { consumerRole } from "../../engine/projector/names.js";
import { asRole } from "../../engine/service/environment.js";
import { readSettings, requireSetting } from "../../engine/service/settings.js";

/** Password of the contender's own role; the benchmark's server is its own and listens on the loopback address. */
export const password = "contender";

/** The benchmark's server as the contender's role. */
export const ownUrl = (): string =>
  asRole(requireSetting(readSettings(), "DATABASE_URL"), consumerRole("bench"), password);

/** The benchmark's topic. */
export const topic = (): string => process.env.TOPIC ?? "bench.visit.events";
