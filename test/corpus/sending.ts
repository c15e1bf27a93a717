import type { SendLine } from "../../engine/intake/connector.js";
import { loadConnector } from "../../engine/service/discover.js";
import type { TestInstallation } from "../installation.js";

/** What a sender was answered, without the time it took. */
export type Answered = Omit<SendLine, "ms">;

/** Sends a file over the running connector's own protocol, as `tributary send` does. */
export async function sendFile(
  installation: TestInstallation,
  connector: "hl7v2" | "x12" | "fhir",
  file: string,
  bytes: Buffer,
): Promise<Answered[]> {
  const addresses = installation.process(connector)?.addresses ?? [];
  const lines: Answered[] = [];
  for await (const { ms: _, ...line } of (await loadConnector(connector)).send({
    addresses,
    partner: "generic",
    file,
    bytes,
  })) {
    lines.push(line);
  }
  return lines;
}
