import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../service/errors.js";
import { requireSetting, type Settings } from "../service/settings.js";
import type { AvroRecord } from "./avro.js";

const contentType = "application/vnd.schemaregistry.v1+json";
const attempts = 4;
const demanded = "FULL_TRANSITIVE";
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
  readonly body: Readonly<Partial<Record<"id" | "schema" | "schemaType" | "compatibilityLevel", unknown>>>;
}

/** What the registry's client throws: the answer's status, when there was one. */
function statusOf(error: unknown): number | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { status } = at as { status?: unknown };
    if (typeof status === "number") return status;
  }
  return undefined;
}

/**
 * Registration, a step of deployment, is the client's. What running processes ask is three plain requests of ours: the
 * client would load validators of every format into each process, can't demand a compatibility before the first version
 * is there, and gives a schema only as a compiled type, without the attributes that name sealed records.
 * Names of partners, units or people never occur in these calls: the registry only sees schemas.
 */
export function registryApi(settings: Settings): RegistryApi {
  const base = new URL(requireSetting(settings, "SCHEMA_REGISTRY_URL"));
  const headers: Record<string, string> = { accept: contentType, "content-type": contentType };
  let auth: { username: string; password: string } | undefined;
  if (base.username !== "") {
    auth = { username: decodeURIComponent(base.username), password: decodeURIComponent(base.password) };
    headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
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

  const refused = (subject: string, status: number): TributaryError =>
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

  const failure = (subject: string, error: unknown): TributaryError => {
    const status = statusOf(error);
    if (status !== undefined && status < 500) return refused(subject, status);
    return new TributaryError(
      "TRIB_LOG_REGISTRY_UNAVAILABLE",
      `The schema registry at ${prefix} doesn't answer for ${subject}.`,
      { url: prefix, subject },
      { cause: error },
    );
  };

  return {
    async register(subject, schema) {
      const { COMPATIBILITY, SchemaRegistry, SchemaType } = await import("@kafkajs/confluent-schema-registry");
      const retry = { retries: attempts - 1, initialRetryTimeInSecs: 0.15 };
      const client = new SchemaRegistry({ host: prefix, clientId: "tributary", ...(auth ? { auth } : {}), retry }, {});
      try {
        const { id } = await client.register(
          { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
          { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
        );
        return id;
      } catch (error) {
        throw failure(subject, error);
      }
    },
    async lookup(subject, schema) {
      const path = `/subjects/${encodeURIComponent(subject)}`;
      const answer = await call("POST", path, { schema: JSON.stringify(schema) });
      if (answer.status === 404) return undefined;
      if (answer.status !== 200 || typeof answer.body.id !== "number") throw refused(subject, answer.status);
      return answer.body.id;
    },
    async demandCompatibility(subject) {
      const path = `/config/${encodeURIComponent(subject)}`;
      // Asking is cheap; to a registry that keeps its state in Kafka, setting what is set is a write like any other.
      const found = await call("GET", path);
      if (found.status === 200 && found.body.compatibilityLevel === demanded) return true;
      const answer = await call("PUT", path, { compatibility: demanded });
      if (answer.status === 404) return false;
      if (answer.status !== 200) throw refused(subject, answer.status);
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
