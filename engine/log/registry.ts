import { TributaryError } from "../service/errors.js";
import type { Settings } from "../service/settings.js";
import type { AvroRecord } from "./avro.js";
import { type Codec, type CodecSchemas, createCodec, type WriterSchema } from "./codec.js";
import { registryApi } from "./registry-api.js";
import { type RootRecord, rootRecords } from "./schemas.js";
import { type CommittedVersion, committedVersions, currentVersion } from "./versions.js";

/** A subject of the registry with its committed versions, oldest first. */
interface Subject {
  readonly name: string;
  readonly root: RootRecord;
  readonly versions: readonly CommittedVersion[];
}

/**
 * Subjects by TopicRecordNameStrategy: `<topic>-<full name of the record>`, the topic with the installation's prefix.
 * @throws TRIB_LOG_SCHEMA_UNCOMMITTED when a schema was changed and not committed as a version.
 */
function subjects(settings: Settings): readonly Subject[] {
  const committed = committedVersions();
  return [...rootRecords().values()].flatMap((root) => {
    const versions = committed.get(root.fullName) ?? [];
    if (!currentVersion(root, versions)) {
      throw new TributaryError(
        "TRIB_LOG_SCHEMA_UNCOMMITTED",
        `${root.fullName} differs from its newest committed version. Run \`tributary schemas check --commit\`.`,
        { record: root.fullName },
      );
    }
    return root.topics.map((topic) => ({ name: `${settings.TOPIC_PREFIX}${topic}-${root.fullName}`, root, versions }));
  });
}

/** What `registerSchemas` did for one subject. */
export interface RegisteredSubject {
  readonly subject: string;
  /** Committed versions there now. */
  readonly versions: number;
  /** Registry's id of the newest. */
  readonly id: number;
}

/**
 * Registers every committed version of every record, oldest first, and demands FULL_TRANSITIVE of each subject.
 * Idempotent. A step of deployment: no running process calls it.
 * @throws TRIB_LOG_SCHEMA_UNCOMMITTED, TRIB_LOG_SCHEMA_INCOMPATIBLE, TRIB_LOG_REGISTRY_UNAVAILABLE
 */
export async function registerSchemas(settings: Settings): Promise<readonly RegisteredSubject[]> {
  const api = registryApi(settings);
  return Promise.all(
    subjects(settings).map(async ({ name, versions }) => {
      const demanded = await api.demandCompatibility(name);
      let id = 0;
      for (const { schema } of versions) id = (await api.lookup(name, schema)) ?? (await api.register(name, schema));
      if (!demanded && !(await api.demandCompatibility(name))) {
        throw new TributaryError("TRIB_LOG_REGISTRY_UNAVAILABLE", `The registry takes no compatibility for ${name}.`, {
          subject: name,
        });
      }
      return { subject: name, versions: versions.length, id };
    }),
  );
}

/**
 * Looks up the ids of all committed versions; registers nothing.
 * @throws TRIB_LOG_SCHEMA_NOT_REGISTERED when a current schema isn't there; TRIB_LOG_REGISTRY_UNAVAILABLE
 */
export async function lookupSchemas(settings: Settings): Promise<CodecSchemas> {
  const api = registryApi(settings);
  const current = new Map<string, number>();
  const writers: WriterSchema[] = [];
  await Promise.all(
    subjects(settings).map(async ({ name, root, versions }) => {
      for (const { schema, version } of versions) {
        const id = await api.lookup(name, schema);
        if (id !== undefined) writers.push({ id, schema });
        if (version !== versions.at(-1)?.version) continue;
        if (id === undefined) {
          throw new TributaryError(
            "TRIB_LOG_SCHEMA_NOT_REGISTERED",
            `Version ${version} of ${root.fullName} isn't registered as ${name}. Run \`tributary schemas register\`.`,
            { subject: name, version },
          );
        }
        current.set(root.fullName, id);
      }
    }),
  );
  return {
    current,
    writers,
    fetch: (id) => fetchSchema(settings, id),
  };
}

/** The schema under an id, whoever's it is. @throws TRIB_LOG_UNKNOWN_SCHEMA, TRIB_LOG_REGISTRY_UNAVAILABLE */
export async function fetchSchema(settings: Settings, schemaId: number): Promise<AvroRecord> {
  const schema = await registryApi(settings).schema(schemaId);
  if (schema) return schema;
  throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", `The registry has no Avro record with id ${schemaId}.`, {
    schemaId,
  });
}

/** The codec of this installation, with the ids of its registry. @throws as `lookupSchemas`. */
export async function connectCodec(settings: Settings): Promise<Codec> {
  return createCodec(await lookupSchemas(settings));
}
