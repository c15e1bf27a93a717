import { createHash } from "node:crypto";
import type {
  AccessRecorded,
  DeliveriesRecorded,
  ErasureRecorded,
  EventPlace,
} from "../../schemas/audit/audit.generated.js";
import { type AuditRecord, areDeliveries, isAccess } from "./access.js";
import { reachText } from "./access-row.js";

/** A FHIR R4 AuditEvent, as far as we fill it in. */
type Resource = Readonly<Record<string, unknown>>;

const dicom = "http://dicom.nema.org/resources/ontology/DCM";
const balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition";
const coding = (system: string, code: string, display: string) => ({ system, code, display });
const restfulRead = {
  type: coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation"),
  subtype: [coding("http://hl7.org/fhir/restful-interaction", "read", "read")],
};

/** What an access is in DICOM's words, which FHIR takes over, and in those of the IHE profile of basic audit logs. */
const kinds: Readonly<Record<string, { readonly action: string; readonly profile?: string } & Resource>> = {
  READ: { ...restfulRead, action: "R", profile: `${balp}/IHE.BasicAudit.PatientRead` },
  OPEN: { ...restfulRead, action: "R", profile: `${balp}/IHE.BasicAudit.PatientRead` },
  EXPORT: {
    type: coding(dicom, "110106", "Export"),
    action: "R",
    profile: `${balp}/IHE.BasicAudit.PrivacyDisclosure.Source`,
  },
  DELIVER: {
    type: coding(dicom, "110106", "Export"),
    action: "R",
    profile: `${balp}/IHE.BasicAudit.PrivacyDisclosure.Source`,
  },
  REPLAY: { type: coding(dicom, "110100", "Application Activity"), action: "E" },
  DROP: { type: coding(dicom, "110100", "Application Activity"), action: "D" },
};
/** Decisions of operators about single events. */
const decisions: Readonly<Record<string, string>> = {
  EventParked: "park",
  EventSkipped: "skip",
  ParkRetried: "retry",
  ErasureRecorded: "erase",
};

const entity = (what: string, code: string, display: string, role: readonly [string, string]) => ({
  what: { identifier: { value: what } },
  type: coding("http://terminology.hl7.org/CodeSystem/audit-entity-type", code, display),
  role: coding("http://terminology.hl7.org/CodeSystem/object-role", role[0], role[1]),
});

function accessEntities({ subject, patients, bulk, command, recipient }: AccessRecorded) {
  return [
    ...patients.map((id) => entity(id, "1", "Person", ["1", "Patient"])),
    ...(bulk ? [{ ...entity("", "1", "Person", ["1", "Patient"]), what: { display: reachText(bulk) } }] : []),
    {
      ...entity(subject.id, "2", "System Object", ["4", "Domain Resource"]),
      name: subject.kind,
      detail: [
        { type: "command", valueString: command },
        ...(recipient === null ? [] : [{ type: "recipient", valueString: recipient }]),
      ],
    },
  ];
}

function erasureEntities({ patient, erasure, step }: ErasureRecorded) {
  return [
    entity(patient, "1", "Person", ["1", "Patient"]),
    { ...entity(erasure, "2", "System Object", ["4", "Domain Resource"]), name: step },
  ];
}

function decisionEntities({ event }: { readonly event?: EventPlace }) {
  if (!event) return [];
  const place = `${event.topic}/${event.partition}/${event.offset}`;
  return [{ ...entity(place, "2", "System Object", ["4", "Domain Resource"]), name: event.projection }];
}

function deliveryEntities({ consumer, destination, topic, partition, deliveries }: DeliveriesRecorded) {
  return deliveries.map(({ offset, eventType, status }) => ({
    ...entity(`${topic}/${partition}/${offset}`, "2", "System Object", ["4", "Domain Resource"]),
    name: eventType,
    detail: [
      { type: "recipient", valueString: consumer },
      { type: "destination", valueString: destination },
      { type: "status", valueString: status },
    ],
  }));
}

function entitiesOf(found: AuditRecord) {
  if (isAccess(found)) return accessEntities(found.value);
  if (areDeliveries(found)) return deliveryEntities(found.value);
  if (found.type === "ErasureRecorded") return erasureEntities(found.value as unknown as ErasureRecorded);
  return decisionEntities(found.value as { readonly event?: EventPlace });
}

/** Ids of ours are FHIR ids already, or have characters that an id may not have. */
const idOf = (id: string): string => {
  const plain = id.replace(/[^A-Za-z0-9.-]/g, ".");
  return plain.length <= 64 ? plain : createHash("sha256").update(id).digest("hex");
};

function kindOf(found: AuditRecord): { readonly profile?: string } & Resource {
  if (isAccess(found)) return kinds[found.value.action] ?? (kinds.READ as Resource);
  if (areDeliveries(found)) return { type: coding(dicom, "110106", "Export"), action: "R" };
  return {
    type: coding(dicom, "110100", "Application Activity"),
    subtype: [{ display: decisions[found.type] ?? found.type }],
    action: found.type === "ErasureRecorded" ? "D" : "U",
  };
}

/**
 * A record of the audit topic as a FHIR R4 AuditEvent. Accesses claim the profiles of IHE BALP (Basic Audit Log Patterns)
 * where one fits; patients are named by surrogate ids.
 * @param installation id of the journal: who observed it.
 */
export function auditEventOf(found: AuditRecord, installation: string): Resource {
  const { meta, reason } = found.value as AuditRecord["value"] & { readonly reason?: string | null };
  const { profile, ...described } = kindOf(found);
  return {
    resourceType: "AuditEvent",
    id: idOf(meta.id),
    // The profiles want a patient by name.
    ...(profile === undefined || (isAccess(found) && found.value.patients.length === 0)
      ? {}
      : { meta: { profile: [profile] } }),
    ...described,
    recorded: new Date(meta.time).toISOString(),
    outcome: "0",
    ...(reason ? { purposeOfEvent: [{ text: reason }] } : {}),
    agent: [
      {
        type: {
          coding: [
            coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient"),
          ],
        },
        who: { identifier: { value: meta.actor } },
        requestor: true,
      },
      {
        type: { coding: [coding(dicom, "110153", "Source Role ID")] },
        who: { display: "Tributary" },
        requestor: false,
      },
    ],
    source: {
      site: installation,
      observer: { display: "Tributary" },
      type: [coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server")],
    },
    entity: entitiesOf(found),
  };
}
