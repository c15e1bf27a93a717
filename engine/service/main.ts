import * as nodeModule from "node:module";
import { TributaryError } from "./errors.js";

// Compiled code is kept between starts where Node can do that (22.8 and later).
(nodeModule as { enableCompileCache?: () => void }).enableCompileCache?.();

/** Entry of every process that the supervisor starts: `main.js <kind> <name>`. Each loads what it needs and no more. */
const [kind, name] = process.argv.slice(2);
const { runProcess } = await import("./process.js");
if (kind === "connector" && name) {
  const { startConnector } = await import("./connector-process.js");
  await runProcess({ kind, name }, (given) => startConnector(name, given));
} else if (kind === "consumer" && name) {
  const { startConsumer } = await import("./consumer-process.js");
  await runProcess({ kind, name }, (given) => startConsumer(name, given));
} else if (kind === "publisher") {
  const { startPublisher } = await import("./publisher-process.js");
  await runProcess({ kind, name: "publisher" }, startPublisher);
} else throw new TributaryError("TRIB_SERVICE_NOT_FOUND", "A process is a connector, the publisher or a consumer.");
