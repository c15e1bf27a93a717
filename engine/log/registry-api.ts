import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../service/errors.js";
import { requireSetting, type Settings } from "../service/settings.js";
import type { AvroRecord } from "./avro.js";

const contentType = "application/vnd.schemaregistry.v1+json";
const attempts = 4;
const requestMilliseconds = 10_000;

/** The few calls of the Confluent Schema Registry API that we need. */
export interface RegistryApi {
  /** Registers a version under a subject, or finds the equal one. @returns its id. */
  register(subject: string, schema: AvroRecord): Promise<number>;
  /** @returns undefined when the subject doesn't have this very schema. */
  lookup(subject: string, schema: AvroRecord): Promise<number | undefined>;
  /** Demands FULL_TRANSITIVE of a subject. @returns false when the registry wants the subject to exist first. */
  demandCompatibility(subject: string): Promise<boolean>;
  /** @returns undefined when there is no such id, or it is no Avro schema. */
  schema(id: number): Promise<AvroRecord | undefined>;
}

interface Answer {
  readonly status: number;
  readonly body: { readonly id?: unknown; readonly schema?: unknown; readonly schemaType?: unknown };
}

/** Names of partners, units or people never occur in these calls: the registry only sees schemas. */
export function registryApi(settings: Settings): RegistryApi {
  const base = new URL(requireSetting(settings, "SCHEMA_REGISTRY_URL"));
  const headers: Record<string, string> = { accept: contentType, "content-type": contentType };
  if (base.username !== "") {
    const credentials = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
    base.username = "";
    base.password = "";
  }
  const prefix = base.href.replace(/\/+$/, "");

  const attempt = async (method: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(`${prefix}${path}`, {
      method,
      headers,
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(requestMilliseconds),
    });
    const text = await response.text();
    if (response.status >= 500 || response.status === 429) throw new Error(`status ${response.status}`);
    return { status: response.status, body: JSON.parse(text === "" ? "{}" : text) as Answer["body"] };
  };

  const call = async (method: string, path: string, body?: object): Promise<Answer> => {
    let last: unknown;
    for (let count = 0; count < attempts; count++) {
      if (count > 0) await pause(150 * 2 ** count);
      try {
        return await attempt(method, path, body);
      } catch (error) {
        last = error;
      }
    }
    const reason = last instanceof Error ? String(last.cause instanceof Error ? last.cause.message : last.message) : "";
    throw new TributaryError(
      "TRIB_LOG_REGISTRY_UNAVAILABLE",
      `The schema registry at ${prefix} doesn't answer (${method} ${path}: ${reason}).`,
      { url: prefix },
    );
  };

  const refused = (subject: string, { status }: Answer): TributaryError =>
    status === 409
      ? new TributaryError(
          "TRIB_LOG_SCHEMA_INCOMPATIBLE",
          `The registry refused ${subject}: not compatible with its versions.`,
          { subject },
        )
      : new TributaryError("TRIB_LOG_REGISTRY_UNAVAILABLE", `The registry answered ${status} for ${subject}.`, {
          subject,
          status,
        });

  const subjectPath = (subject: string): string => `/subjects/${encodeURIComponent(subject)}`;

  return {
    async register(subject, schema) {
      const answer = await call("POST", `${subjectPath(subject)}/versions`, { schema: JSON.stringify(schema) });
      if (answer.status !== 200 || typeof answer.body.id !== "number") throw refused(subject, answer);
      return answer.body.id;
    },
    async lookup(subject, schema) {
      const answer = await call("POST", subjectPath(subject), { schema: JSON.stringify(schema) });
      if (answer.status === 404) return undefined;
      if (answer.status !== 200 || typeof answer.body.id !== "number") throw refused(subject, answer);
      return answer.body.id;
    },
    async demandCompatibility(subject) {
      const answer = await call("PUT", `/config/${encodeURIComponent(subject)}`, { compatibility: "FULL_TRANSITIVE" });
      if (answer.status === 404) return false;
      if (answer.status !== 200) throw refused(subject, answer);
      return true;
    },
    async schema(id) {
      const answer = await call("GET", `/schemas/ids/${id}`);
      if (answer.status !== 200 || typeof answer.body.schema !== "string") return undefined;
      if (answer.body.schemaType !== undefined && answer.body.schemaType !== "AVRO") return undefined;
      const schema = JSON.parse(answer.body.schema) as AvroRecord;
      return schema.type === "record" ? schema : undefined;
    },
  };
}
