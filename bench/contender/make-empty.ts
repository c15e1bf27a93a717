import { registerSchemas } from "../../engine/log/registry.js";
import { applyTopics } from "../../engine/log/topics.js";
import { prepareConsumer } from "../../engine/projector/runner.js";
import { readSettings, requireSetting } from "../../engine/service/settings.js";
import { migrateUp } from "../../engine/store/migrate.js";
import { openPool } from "../../engine/store/pool.js";
import { dropBuilds } from "./drop.js";
import { password, topic } from "./place.js";
import { contender } from "./visits.js";

/** Makes an empty build, forgets the checkpoints of the one before, and prints the schema's name, as the benchmark asks. */
const settings = readSettings();
const url = requireSetting(settings, "DATABASE_URL");
await migrateUp(url);
await registerSchemas(settings);
// The decisions of operators are read from a topic of ours.
await applyTopics(settings);
const admin = openPool(url, { applicationName: "contender reset", max: 2 });
await dropBuilds(admin);
const [build] = await prepareConsumer(admin, contender(topic()), { password });
// The benchmark fills the table itself for the live part, and knows its own columns only.
await admin.query(`ALTER TABLE ${build?.schema}.visits ALTER recorded_at SET DEFAULT now(),
  ALTER source_partition SET DEFAULT 0, ALTER source_offset SET DEFAULT 0`);
await admin.end();
console.log(build?.schema);
