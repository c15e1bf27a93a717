import { stringify } from "yaml";
import {
  auditTopic,
  deliveriesTopic,
  type Entity,
  entities,
  eventsTopic,
  type RootRecord,
  rootRecords,
} from "./schemas.js";

/** Format of a payload's schema: the specification lists this version of Avro's. */
const avroFormat = "application/vnd.apache.avro;version=1.9.0";

const keys = {
  event: { type: "string", format: "uuid", description: "Surrogate id of the entity." },
  audit: { type: "string", description: "Name of the read model that was decided about." },
};

const message = ({ schema, role }: RootRecord) => ({
  name: schema.name,
  title: schema.name,
  summary: schema.doc,
  contentType: "application/avro",
  ...(role !== "audit" ? { headers: { $ref: "#/components/schemas/headers" } } : {}),
  payload: { schemaFormat: avroFormat, schema },
  bindings: {
    kafka: {
      key: keys[role === "audit" ? "audit" : "event"],
      schemaIdLocation: "payload",
      schemaIdPayloadEncoding: "confluent",
      schemaLookupStrategy: "TopicRecordNameStrategy",
      bindingVersion: "0.5.0",
    },
  },
});

/** `asyncapi.yaml` (AsyncAPI 3.0): the topics of events, for tools. The sealed records are not messages of their own. */
export function asyncapiDocument(): string {
  const roots = [...rootRecords().values()];
  const events = roots.filter(({ role }) => role === "event" || role === "engine");
  const audits = roots.filter(({ role }) => role === "audit");
  const auditsOf = (topic: string) =>
    audits.filter(({ topics }) => topics.includes(topic)).map(({ schema }) => schema.name);
  const kept = { "cleanup.policy": ["delete"], "retention.ms": -1 };
  const bindings = { kafka: { topicConfiguration: kept, bindingVersion: "0.5.0" } };
  const referring = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
  const ofEntity = (entity: Entity) =>
    events.filter(({ topics }) => topics.includes(eventsTopic(entity))).map(({ schema }) => schema.name);
  const channels: [string, object][] = entities.map((entity) => [
    `${entity}Events`,
    {
      address: eventsTopic(entity),
      title: `Events of ${entity}s`,
      description: `Key: surrogate id of the ${entity}. Kept for ever; every partition in the order of the journal.`,
      messages: referring(ofEntity(entity)),
      bindings,
    },
  ]);
  channels.push([
    "auditEvents",
    {
      address: auditTopic,
      title: "Decisions of operators",
      description: "What operators decided about single events. Key: the read model's name. Kept for ever.",
      messages: referring(auditsOf(auditTopic)),
      bindings,
    },
  ]);
  channels.push([
    "auditDeliveries",
    {
      address: deliveriesTopic,
      title: "Deliveries to partners",
      description:
        "What was sent to partners, batch by batch. Key: the delivering consumer and the partition of the events. Kept for ever.",
      messages: referring(auditsOf(deliveriesTopic)),
      bindings,
    },
  ]);
  const operations: [string, object][] = entities.map((entity) => [
    `publish${entity.slice(0, 1).toUpperCase()}${entity.slice(1)}Events`,
    {
      action: "send",
      channel: { $ref: `#/channels/${entity}Events` },
      summary: `Publishes what happened to ${entity}s.`,
    },
  ]);
  operations.push([
    "recordAuditEvents",
    { action: "send", channel: { $ref: "#/channels/auditEvents" }, summary: "Records what operators decided." },
  ]);
  operations.push([
    "recordDeliveries",
    { action: "send", channel: { $ref: "#/channels/auditDeliveries" }, summary: "Records what was sent to partners." },
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
      messages: Object.fromEntries([...events, ...audits].map((root) => [root.schema.name, message(root)])),
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
