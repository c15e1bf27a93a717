import { createHash } from "node:crypto";
import { type AvroSchema, fullNameOf, isNamed, isPrimitive, isUnion, namespaceOf } from "./avro.js";

/**
 * What names a schema by what matters to a reader of its bytes: SHA-256, in hexadecimal, of its Parsing Canonical Form
 * (Avro specification 1.12, "Schema Fingerprints"). Documentation, defaults and the order of attributes make no
 * difference, and Avro's own libraries give the same (`SchemaNormalization.parsingFingerprint` in Java).
 * @param schema self-contained.
 */
export const fingerprintOf = (schema: AvroSchema): string =>
  createHash("sha256").update(canonicalForm(schema, "")).digest("hex");

function canonicalForm(schema: AvroSchema, namespace: string): string {
  if (typeof schema === "string")
    return JSON.stringify(isPrimitive(schema) ? schema : fullNameOf(schema, undefined, namespace));
  if (isUnion(schema)) return `[${schema.map((branch) => canonicalForm(branch, namespace)).join(",")}]`;
  if (isNamed(schema)) {
    const name = fullNameOf(schema.name, schema.namespace, namespace);
    const head = `{"name":${JSON.stringify(name)},"type":"${schema.type}"`;
    if (schema.type === "enum") return `${head},"symbols":${JSON.stringify(schema.symbols)}}`;
    const fields = schema.fields.map(
      (field) => `{"name":${JSON.stringify(field.name)},"type":${canonicalForm(field.type, namespaceOf(name))}}`,
    );
    return `${head},"fields":[${fields.join(",")}]}`;
  }
  if (schema.type === "array") return `{"type":"array","items":${canonicalForm(schema.items, namespace)}}`;
  if (schema.type === "map") return `{"type":"map","values":${canonicalForm(schema.values, namespace)}}`;
  return JSON.stringify(schema.type);
}
