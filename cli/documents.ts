import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncapiDocument } from "../engine/log/asyncapi-document.js";
import { eventsDocument } from "../engine/log/events-document.js";
import { errorsDocument, metricsDocument, settingsDocument } from "../engine/service/documents.js";
import { repositoryRoot } from "../engine/service/root.js";
import { commandsDocument } from "./commands-document.js";

/** Every document that is made from code. */
export const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/errors.md": errorsDocument,
  "docs/settings.md": settingsDocument,
  "docs/metrics.md": metricsDocument,
  "docs/commands.md": commandsDocument,
  "docs/events.md": eventsDocument,
  "asyncapi.yaml": asyncapiDocument,
};

/** Writes them all. */
export async function writeDocuments(): Promise<void> {
  for (const [path, render] of Object.entries(documents)) writeFileSync(join(repositoryRoot, path), await render());
}
