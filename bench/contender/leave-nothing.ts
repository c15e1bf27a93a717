import { readSettings, requireSetting } from "../../engine/service/settings.js";
import { openPool } from "../../engine/store/pool.js";
import { dropBuilds } from "./drop.js";

/** Drops what a run left: a contender that looks for a table by its name alone would find ours beside its own. */
const admin = openPool(requireSetting(readSettings(), "DATABASE_URL"), { applicationName: "contender stop", max: 1 });
await dropBuilds(admin);
await admin.end();
