import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";

/** A version of a resource on the server, or its deletion. */
export interface Version {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  /** ISO instant. */
  readonly at: string;
  readonly resource: object | undefined;
}

/** A FHIR server of its own with histories, newest first, page by page, as HAPI's. */
export class HistoryServer {
  readonly versions: Version[] = [];
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  /** Types of whose histories its CapabilityStatement speaks; undefined: it has none to show. */
  histories: readonly string[] | undefined = ["Patient", "Encounter"];
  /** It gives everything, whatever it is asked since when. */
  forgetful = false;
  /** Searches come as they were written, and it says of no parameter that it used it. */
  unsorted = false;
  /**
   * What it does when a history is asked for in the order of time: it overlooks it, does it, refuses it, or says that it
   * does and lists as is, or as written.
   */
  sorting: "overlooked" | "done" | "refused" | "claimed" | "claimed as written" = "overlooked";
  /** Called before each answer. */
  before: (path: string) => Promise<void> | void = () => {};
  #server: FastifyInstance | undefined;
  #port = 0;

  /** Writes a version of a resource; undefined content deletes it. */
  write(type: string, id: string, at: string, content: object | undefined): void {
    const version = this.versions.filter((one) => one.type === type && one.id === id).length + 1;
    const meta = { versionId: String(version), lastUpdated: at };
    const resource = content && { resourceType: type, id, meta, ...content };
    this.versions.push({ type, id, version, at, resource });
  }

  /** Starts, or starts again on the same port. @returns its base. */
  async start(): Promise<string> {
    const server = Fastify();
    server.addHook("onRequest", async (request) => {
      this.asked.push(decodeURIComponent(request.url));
      await this.before(request.url);
    });
    server.get("/metadata", (_request, reply) => (this.histories ? this.#statement() : reply.code(404).send()));
    server.get("/:type/_history", (request) => this.#history(request.params, request.query));
    server.get("/:type", (request) => this.#search(request.params, request.query));
    await server.listen({ port: this.#port, host: "127.0.0.1" });
    this.#server = server;
    this.#port = (server.server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    this.#server?.server.closeAllConnections();
    await this.#server?.close();
  }

  #statement() {
    const resource = this.histories!.map((type) => ({
      type,
      interaction: [{ code: "read" }, { code: "history-type" }],
    }));
    return { resourceType: "CapabilityStatement", rest: [{ mode: "server", resource }] };
  }

  #history(parameters: unknown, query: unknown) {
    const { type } = parameters as { type: string };
    const { _since, _sort, ...asked } = query as Record<string, string>;
    if (_sort && this.sorting === "refused") throw Object.assign(new Error("unknown parameter"), { statusCode: 400 });
    const found = this.versions.filter((one) => one.type === type && (this.forgetful || !_since || one.at >= _since));
    // Newest first; of one instant, as they come.
    const newest = [...found].sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
    const sorted = _sort && this.sorting === "done" ? newest.reverse() : newest;
    const listed = this.sorting === "claimed as written" ? found : sorted;
    const sort = _sort && this.sorting !== "overlooked" ? { _sort } : {};
    const used = { ...(_since && { _since }), ...sort, ...asked };
    return page("history", listed.map(historyEntry), `/${type}/_history`, used);
  }

  #search(parameters: unknown, query: unknown) {
    const { type } = parameters as { type: string };
    const { _lastUpdated, ...asked } = query as Record<string, string>;
    const latest = new Map(this.versions.filter((one) => one.type === type).map((one) => [one.id, one]));
    const found = [...latest.values()].filter(
      ({ at, resource }) => resource && (!_lastUpdated || at >= _lastUpdated.slice(2)),
    );
    const byTime = [...found].sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
    const listed = this.unsorted ? found : byTime;
    const entries = listed.map(({ resource }) => ({ resource, search: { mode: "match" } }));
    const { _sort, ...used } = asked;
    const sort = this.unsorted || !_sort ? {} : { _sort };
    return page("searchset", entries, `/${type}`, { ...(_lastUpdated && { _lastUpdated }), ...sort, ...used });
  }
}

function historyEntry({ type, id, version, at, resource }: Version): object {
  const [method, status] = resource ? ["PUT", version === 1 ? "201 Created" : "200 OK"] : ["DELETE", "204 No Content"];
  return {
    fullUrl: `http://history.example/${type}/${id}`,
    ...(resource && { resource }),
    request: { method, url: `${type}/${id}/_history/${version}` },
    response: { status, lastModified: at, etag: `W/"${version}"` },
  };
}

function page(type: string, entries: readonly object[], path: string, query: Readonly<Record<string, string>>): object {
  const { _count = "200", from = "0", ...rest } = query;
  const [start, count] = [Number(from), Number(_count)];
  const url = (at: number) => `${path}?${new URLSearchParams({ ...rest, _count, from: String(at) })}`;
  const link = [{ relation: "self", url: url(start) }];
  if (start + count < entries.length) link.push({ relation: "next", url: url(start + count) });
  return { resourceType: "Bundle", type, total: entries.length, link, entry: entries.slice(start, start + count) };
}
