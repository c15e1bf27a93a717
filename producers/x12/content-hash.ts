import { createHash } from "node:crypto";

/** Short hash of facts: 16 hexadecimal digits of SHA-256 over their JSON, whose member order is the caller's. */
export function contentHash(facts: unknown): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}
