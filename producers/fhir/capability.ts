import { translatedTypes } from "./translate.js";

/** What this server can do (FHIR R4 CapabilityStatement). The same for everybody, and the same every day. */
export function capabilityStatement(base: string, version: string): object {
  const interaction = [{ code: "create" }, { code: "update" }];
  const operation = [{ name: "validate", definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate" }];
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: "2026-01-01",
    kind: "instance",
    software: { name: "Tributary", version },
    implementation: { description: "Receives; what it accepted is in the log, and is not read back here.", url: base },
    fhirVersion: "4.0.1",
    format: ["application/fhir+json", "application/fhir+ndjson"],
    rest: [
      {
        mode: "server",
        documentation:
          "Every resource type of R4 is checked and kept; those listed make events. Bundles: transaction, batch, message, collection, history (subscription notifications), searchset, document.",
        resource: translatedTypes.map((type) => ({
          type,
          interaction,
          updateCreate: true,
          versioning: "no-version",
          operation,
        })),
        interaction: [{ code: "transaction" }, { code: "batch" }],
        operation: [
          {
            name: "process-message",
            definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
          },
          { name: "validate", definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate" },
        ],
      },
    ],
  };
}
