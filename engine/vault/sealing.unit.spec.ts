import { createDecipheriv, randomBytes, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DataKey, keyEncryptionKeys, newDataKey, unwrap, wrap } from "./data-key.js";
import { KeyCache } from "./key-cache.js";
import { LivingKeys } from "./living-keys.js";
import { keyOfSealedEvent, openEvent, sealEvent } from "./sealed-event.js";
import { openUnit, sealUnit } from "./sealed-unit.js";
import { additionalData, seal, sealOverhead, unseal } from "./sealing.js";

const key = Buffer.alloc(32, 7);
const subject = "0f8fad5b-d9cb-469f-a165-70867728950e";
const other = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const event = { type: "PatientRegistered", eventId: "1" };
const tampered = expect.objectContaining({ code: "TRIB_VAULT_TAMPERED" });

describe("sealing", () => {
  it("gives back any content, and has the documented layout", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_000 }), (content) => {
        const sealed = seal(key, additionalData("a"), content);
        expect(sealed.length).toBe(content.length + sealOverhead);
        expect(unseal(key, additionalData("a"), sealed).equals(content)).toBe(true);
      }),
    );
    // Opened by hand: version, nonce, ciphertext, tag.
    const sealed = seal(key, additionalData("a"), Buffer.from("hello"));
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(1, 13));
    decipher.setAAD(Buffer.from([0, 0, 0, 1, 0x61]));
    decipher.setAuthTag(sealed.subarray(-16));
    expect(sealed[0]).toBe(1);
    expect(decipher.update(sealed.subarray(13, -16)).toString() + decipher.final("utf8")).toBe("hello");
  });

  it("refuses every changed byte, another key, another binding, and anything cut off", () => {
    const sealed = seal(key, additionalData("a"), Buffer.from("hello"));
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => unseal(key, additionalData("a"), changed)).toThrow(tampered);
      expect(() => unseal(key, additionalData("a"), sealed.subarray(0, at))).toThrow(tampered);
    }
    expect(() => unseal(Buffer.alloc(32, 8), additionalData("a"), sealed)).toThrow(tampered);
    expect(() => unseal(key, additionalData("b"), sealed)).toThrow(tampered);
  });

  it("binds to a list of parts: moving text between parts makes another binding", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (left, right) => {
        const same = left.length === right.length && left.every((part, index) => part === right[index]);
        expect(Buffer.from(additionalData(...left)).equals(additionalData(...right))).toBe(same);
      }),
    );
    expect(Buffer.from(additionalData("a", "bc")).equals(additionalData("ab", "c"))).toBe(false);
  });
});

describe("a sealed event", () => {
  const dataKey: DataKey = { subject, generation: 258, key };

  it("names its key, and opens only as itself", () => {
    const sealed = sealEvent(event, dataKey, Buffer.from("secret"));
    expect(keyOfSealedEvent(sealed)).toEqual({ subject, generation: 258 });
    expect(openEvent(event, dataKey, sealed).toString()).toBe("secret");
    expect(() => openEvent({ ...event, eventId: "2" }, dataKey, sealed)).toThrow(tampered);
    expect(() => openEvent({ ...event, type: "PatientUpdated" }, dataKey, sealed)).toThrow(tampered);
    expect(() => openEvent(event, { ...dataKey, subject: other }, sealed)).toThrow(tampered);
    expect(() => openEvent(event, { ...dataKey, generation: 1 }, sealed)).toThrow(tampered);
    expect(() => keyOfSealedEvent(Buffer.alloc(20))).toThrow(tampered);
  });
});

describe("a sealed unit", () => {
  const first = newDataKey({ subject, generation: 1 });
  const second = newDataKey({ subject: other, generation: 1 });
  const bytes = randomBytes(300);

  it("gives back bytes and control id, also none and an empty one", () => {
    for (const controlId of ["MSG-1 é", "", null]) {
      const sealed = sealUnit("receipt", [first], { bytes, controlId });
      const opened = openUnit("receipt", [first], sealed);
      expect(opened.controlId).toBe(controlId);
      expect(opened.bytes.equals(bytes)).toBe(true);
    }
  });

  it("under two keys needs both, in their order, and the receipt it was made for", () => {
    const sealed = sealUnit("receipt", [first, second], { bytes, controlId: "1" });
    expect(openUnit("receipt", [first, second], sealed).bytes.equals(bytes)).toBe(true);
    expect(() => openUnit("receipt", [second, first], sealed)).toThrow(tampered);
    expect(() => openUnit("receipt", [first], sealed)).toThrow(tampered);
    expect(() => openUnit("receipt", [second], sealed)).toThrow(tampered);
    expect(() => openUnit("another", [first, second], sealed)).toThrow(tampered);
  });
});

describe("a wrapped data key", () => {
  const kek = keyEncryptionKeys("11".repeat(32));
  const name = { subject, generation: 3 };

  it("is bound to its subject and generation, and says which key-encryption key it needs", () => {
    const dataKey = newDataKey(name);
    const wrapped = wrap(kek.current, dataKey);
    expect(unwrap(kek, kek.current.id, name, wrapped)).toEqual(dataKey);
    expect(() => unwrap(kek, kek.current.id, { subject: other, generation: 3 }, wrapped)).toThrow(tampered);
    expect(() => unwrap(kek, kek.current.id, { subject, generation: 4 }, wrapped)).toThrow(tampered);
    const another = keyEncryptionKeys("12".repeat(32));
    expect(() => unwrap(another, kek.current.id, name, wrapped)).toThrow(
      expect.objectContaining({ code: "TRIB_VAULT_KEK_UNKNOWN" }),
    );
  });
});

describe("the cache of keys", () => {
  it("never holds more than its limit and forgets what was used longest ago", () => {
    const cache = new KeyCache<number>(3);
    for (const name of ["a", "b", "c"]) cache.set(name, 1);
    cache.get("a");
    cache.set("d", 1);
    expect([cache.size, cache.get("b"), cache.get("a"), cache.get("d")]).toEqual([3, undefined, 1, 1]);
  });

  it("of a process that seals gives each subject its own last key, and one forgotten never again", () => {
    const subjects = fc
      .integer({ min: 0, max: 40 })
      .map((n) => `${"0123456789abcdef"[n % 16]}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`);
    const action = fc.tuple(fc.constantFrom("set", "get", "delete"), subjects);
    fc.assert(
      fc.property(fc.array(action, { minLength: 300, maxLength: 400 }), (actions) => {
        const keys = new LivingKeys(30);
        const expected = new Map<string, DataKey>();
        for (const [act, subject] of actions) {
          if (act === "delete") {
            keys.delete(subject);
            expected.delete(subject);
          } else if (act === "set") {
            const key = newDataKey({ subject, generation: (expected.get(subject)?.generation ?? 0) + 1 });
            keys.set(key);
            expected.delete(subject);
            expected.set(subject, key);
            expect(keys.get(subject)).toEqual(key);
          } else {
            const [held, made] = [keys.get(subject), expected.get(subject)];
            expect([undefined, made]).toContainEqual(held);
            if (held && made) {
              expected.delete(subject);
              expected.set(subject, made);
            }
          }
        }
        // Of those used last at least half of the limit are there.
        for (const [subject, key] of [...expected].slice(-5)) expect(keys.get(subject)).toEqual(key);
      }),
      { numRuns: 50 },
    );
  });

  it("holds many thousands, each under its own name, and takes no other name for one", () => {
    const keys = new LivingKeys(40_000);
    const made = Array.from({ length: 15_000 }, () => newDataKey({ subject: randomUUID(), generation: 1 }));
    for (const key of made) keys.set(key);
    for (const key of made) expect(keys.get(key.subject)?.key.equals(key.key)).toBe(true);
    expect(keys.get(randomUUID())).toBeUndefined();
    for (const name of ["", "a", randomUUID().toUpperCase(), `${randomUUID()}0`])
      expect(() => keys.get(name)).toThrow(RangeError);
  });
});
