import { describe, expect, it } from "vitest";
import { asRole, environmentFor } from "./environment.js";

const given = {
  PATH: "/bin",
  KAFKA_BROKERS: "b:9092",
  DATABASE_URL: "postgres://owner:secret@db:5432/tributary",
  TRIBUTARY_SECRET_FILE: "/s",
  TRIBUTARY_KEK_FILE: "/k",
  TRIBUTARY_NOTARY_KEY_FILE: "/n",
  HL7V2_PORT: "2575",
  X12_PORT: "8080",
  AWS_SECRET_ACCESS_KEY: "x",
};

describe("the environment of a process", () => {
  it("gives a connector its own settings and no other's", () => {
    const environment = environmentFor({ kind: "connector", name: "hl7v2" }, given);
    expect(environment).toMatchObject({ HL7V2_PORT: "2575", TRIBUTARY_SECRET_FILE: "/s", KAFKA_BROKERS: "b:9092" });
    expect(environment).not.toHaveProperty("X12_PORT");
    expect(environment).not.toHaveProperty("AWS_SECRET_ACCESS_KEY");
  });

  it("keeps every key from a consumer that opens nothing sealed, and the secret from all consumers", () => {
    expect(environmentFor({ kind: "consumer", name: "activity" }, given)).not.toHaveProperty("TRIBUTARY_KEK_FILE");
    const opening = environmentFor({ kind: "consumer", name: "patients", opensSealed: true }, given);
    expect(opening).toHaveProperty("TRIBUTARY_KEK_FILE");
    expect(opening).not.toHaveProperty("TRIBUTARY_SECRET_FILE");
  });

  it("gives the signing key to the notary alone", () => {
    const others = [
      environmentFor({ kind: "connector", name: "hl7v2" }, given),
      environmentFor({ kind: "publisher", name: "publisher" }, given),
      environmentFor({ kind: "consumer", name: "patients", opensSealed: true }, given),
    ];
    for (const other of others) expect(other).not.toHaveProperty("TRIBUTARY_NOTARY_KEY_FILE");
    const notary = environmentFor({ kind: "consumer", name: "notary", notarizes: true }, given);
    expect(notary).toHaveProperty("TRIBUTARY_NOTARY_KEY_FILE", "/n");
    expect(notary).not.toHaveProperty("TRIBUTARY_KEK_FILE");
  });

  it("names another role of the same database", () => {
    expect(asRole(given.DATABASE_URL, "tributary_visits", "p/w")).toBe(
      "postgres://tributary_visits:p%2Fw@db:5432/tributary",
    );
  });
});
