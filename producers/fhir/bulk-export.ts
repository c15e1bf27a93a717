import type { Logger } from "pino";
import { type Asking, Refusal } from "./asking.js";
import { children, type Element, isElement, text } from "./element.js";

/** An export that a server works on, or has made: asked for once, and followed over restarts. */
export interface RunningExport {
  /** Where its state is told (`Content-Location` of the kick-off). */
  readonly status: string;
  /** Files of it that the journal has. */
  readonly files: number;
}

/** How far a partner's exports have been read. */
export interface ExportCursor {
  /** `transactionTime` of the last whole export. */
  readonly exported?: string | undefined;
  readonly running?: RunningExport | undefined;
}

export interface ExportOptions {
  readonly base: string;
  readonly types: readonly string[];
  readonly asking: Asking;
  readonly logger: Logger;
  readonly partner: string;
  readonly cursor: () => Promise<ExportCursor>;
  /** Resolves when it is on disk. */
  readonly keep: (cursor: ExportCursor) => Promise<void>;
  /** Takes a file in; resolves when the journal has it. */
  readonly take: (body: AsyncIterable<Buffer>) => Promise<unknown>;
}

/**
 * Reads one whole export of a server (FHIR Bulk Data Access 2.0) since the last: kick-off, wait, every file, then the
 * cursor. What was begun is followed: after a restart neither the server starts anew nor a file is read twice. An export
 * that is over (its address or a file is gone) is forgotten, and the next one covers the same time.
 * @throws where the server or the journal is away; what was read is known.
 */
export async function readExport(options: ExportOptions): Promise<void> {
  const { asking, keep, cursor } = options;
  const running = (await cursor()).running ?? (await kickOff(options));
  let made = false;
  try {
    const manifest = await manifestAt(running.status, asking);
    made = true;
    await readFiles(manifest, options);
    const { exported } = await cursor();
    await keep({ exported: text(manifest, "transactionTime") ?? exported });
  } catch (error) {
    // Any refusal of its state says that there is no such export; one of a file may pass.
    if (error instanceof Refusal && (!made || error.isFinal)) await keep({ exported: (await cursor()).exported });
    throw error;
  }
  await asking.dismiss(running.status);
}

async function kickOff({ base, types, asking, cursor, keep }: ExportOptions): Promise<RunningExport> {
  const { exported } = await cursor();
  const query = new URLSearchParams({ _type: types.join(",") });
  if (exported !== undefined) query.set("_since", exported);
  const started = await asking.get(`${base}/$export?${query}`, "application/fhir+json", { prefer: "respond-async" });
  await started.body?.cancel();
  const status = asking.within(started.headers.get("content-location") ?? undefined);
  if (status === undefined) throw new Error("the server starts no export");
  const running = { status, files: 0 };
  await keep({ exported, running });
  return running;
}

/** Waits until the export is made. */
async function manifestAt(status: string, asking: Asking): Promise<Element> {
  for (;;) {
    const response = await asking.get(status, "application/json");
    if (response.status === 202) {
      await response.body?.cancel();
      await asking.pauseAsTold(response);
      continue;
    }
    const manifest: unknown = await response.json();
    if (isElement(manifest)) return manifest;
    throw new Error("the export has no manifest");
  }
}

async function readFiles(manifest: Element, options: ExportOptions): Promise<void> {
  const { asking, cursor, keep, take, logger, partner } = options;
  const failed = children(manifest, "error").length;
  if (failed > 0) logger.warn({ partner, files: failed }, "A partner's server could not export all that was asked for");
  // Signed addresses of a store elsewhere need no token, and get none.
  const anywhere = manifest.requiresAccessToken === false;
  const urls = children(manifest, "output").map((output) => {
    const url = text(output, "url");
    return anywhere ? asking.whole(url) : asking.within(url);
  });
  const { running } = await cursor();
  for (const [index, url] of urls.entries()) {
    if (url === undefined || running === undefined || index < running.files) continue;
    const file = await asking.get(url, "application/fhir+ndjson");
    await take(buffers(file.body as unknown as AsyncIterable<Uint8Array>));
    await keep({ ...(await cursor()), running: { ...running, files: index + 1 } });
  }
}

async function* buffers(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of body) yield Buffer.from(chunk);
}
