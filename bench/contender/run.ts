import { startDefinition } from "../../engine/service/consumer-process.js";
import { runProcess } from "../../engine/service/process.js";
import { ownUrl, topic } from "./place.js";
import { contender } from "./visits.js";

// The process that the supervisor would start, with a definition that is in no folder of consumers/.
process.env.DATABASE_URL = ownUrl();
process.env.TRIBUTARY_HOME ??= process.env.WORK_DIR;
await runProcess({ kind: "consumer", name: "bench" }, (surroundings) =>
  startDefinition(contender(topic()), surroundings),
);
