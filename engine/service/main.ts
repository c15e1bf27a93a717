import { startConnector } from "./connector-process.js";
import { startConsumer } from "./consumer-process.js";
import { TributaryError } from "./errors.js";
import { runProcess } from "./process.js";
import { startPublisher } from "./publisher-process.js";

/** Entry of every process that the supervisor starts: `main.js <kind> <name>`. */
const [kind, name] = process.argv.slice(2);
if (kind === "connector" && name) await runProcess({ kind, name }, (given) => startConnector(name, given));
else if (kind === "consumer" && name) await runProcess({ kind, name }, (given) => startConsumer(name, given));
else if (kind === "publisher") await runProcess({ kind, name: "publisher" }, startPublisher);
else throw new TributaryError("TRIB_SERVICE_NOT_FOUND", "A process is a connector, the publisher or a consumer.");
