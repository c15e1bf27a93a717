import { startDefinition } from "../../engine/service/consumer-process.js";
import { runProcess } from "../../engine/service/process.js";
import { benchConsumers } from "./definitions.js";

/** Entry of the process of a consumer that only the bench has: `consumer-process.js <name>`, else as the product's own. */
const name = process.argv[2] as keyof typeof benchConsumers;
await runProcess({ kind: "consumer", name }, (surroundings) => startDefinition(benchConsumers[name], surroundings));
