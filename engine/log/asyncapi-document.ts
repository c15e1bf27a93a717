import { stringify } from "yaml";
import { entities, eventsTopic, type RootRecord, rootRecords } from "./schemas.js";

/** Format of a payload's schema: the specification lists this version of Avro's. */
const avroFormat = "application/vnd.apache.avro;version=1.9.0";

const message = ({ schema }: RootRecord) => ({
  name: schema.name,
  title: schema.name,
  summary: schema.doc,
  contentType: "application/avro",
  headers: { $ref: "#/components/schemas/headers" },
  payload: { schemaFormat: avroFormat, schema },
  bindings: {
    kafka: {
      key: { type: "string", format: "uuid", description: "Surrogate id of the entity." },
      schemaIdLocation: "payload",
      schemaIdPayloadEncoding: "confluent",
      schemaLookupStrategy: "TopicRecordNameStrategy",
      bindingVersion: "0.5.0",
    },
  },
});

/** `asyncapi.yaml` (AsyncAPI 3.0): the topics of events, for tools. The sealed records are not messages of their own. */
export function asyncapiDocument(): string {
  const events = [...rootRecords().values()].filter(({ role }) => role === "event");
  const ofEntity = (entity: string) =>
    events.filter(({ folder }) => folder === entity).map(({ schema }) => schema.name);
  const channels = entities.map((entity) => [
    `${entity}Events`,
    {
      address: eventsTopic(entity),
      title: `Events of ${entity}s`,
      description: `Key: surrogate id of the ${entity}. Kept for ever; every partition in the order of the journal.`,
      messages: Object.fromEntries(ofEntity(entity).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
      bindings: {
        kafka: { topicConfiguration: { "cleanup.policy": ["delete"], "retention.ms": -1 }, bindingVersion: "0.5.0" },
      },
    },
  ]);
  const operations = entities.map((entity) => [
    `publish${entity.slice(0, 1).toUpperCase()}${entity.slice(1)}Events`,
    {
      action: "send",
      channel: { $ref: `#/channels/${entity}Events` },
      summary: `Publishes what happened to ${entity}s.`,
    },
  ]);
  const document = {
    asyncapi: "3.0.0",
    info: {
      title: "Tributary",
      version: "1.0.0",
      description:
        "Patient, visit and claim events made of what partners send. docs/events.md says the same for people.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/avro",
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries(operations),
    components: {
      messages: Object.fromEntries(events.map((event) => [event.schema.name, message(event)])),
      schemas: {
        headers: {
          type: "object",
          required: ["position"],
          properties: {
            position: {
              type: "string",
              pattern: "^[^:]+:\\d+:\\d+:\\d+:\\d+$",
              description:
                "journal:partition:offset:index:recorded time. An event whose position is not higher than one already seen of its journal partition is a repetition.",
            },
            traceparent: { type: "string", description: "W3C trace context." },
          },
        },
      },
    },
  };
  const text = stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
  return `# Made by \`npm run docs\` from schemas/**/*.avsc; a test compares.\n${text}`;
}
