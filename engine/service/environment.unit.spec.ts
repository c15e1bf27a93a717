import { describe, expect, it } from "vitest";
import { asRole, environmentFor, rolePassword, tokenKey } from "./environment.js";

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

  it("is no way to another role: what a connector knows makes no password and no token of another", () => {
    const owner = { databaseUrl: given.DATABASE_URL, secret: "5e".repeat(32) };
    const connector = environmentFor({ kind: "connector", name: "csv" }, given, {
      DATABASE_URL: asRole(
        owner.databaseUrl,
        "tributary_connector_csv",
        rolePassword(owner, "tributary_connector_csv"),
      ),
      TRIBUTARY_TOKEN_KEY: tokenKey(owner, "csv"),
    });
    expect(JSON.stringify(connector)).not.toContain("owner");
    // The same secret and its own address instead of the owner's.
    const guessed = { databaseUrl: String(connector.DATABASE_URL), secret: owner.secret };
    for (const role of ["tributary_patients", "tributary_notary"])
      expect(rolePassword(guessed, role)).not.toBe(rolePassword(owner, role));
    expect(tokenKey(owner, "csv")).not.toBe(tokenKey(owner, "fhir"));
    expect(tokenKey(guessed, "fhir")).not.toBe(tokenKey(owner, "fhir"));
    // Whoever prepares it again, by whatever name of the server, sets the same.
    expect(rolePassword({ ...owner, databaseUrl: "postgres://owner:secret@10.0.0.1/other" }, "a")).toBe(
      rolePassword(owner, "a"),
    );
    expect(rolePassword({ ...owner, databaseUrl: "postgres://owner:other@db:5432/tributary" }, "a")).not.toBe(
      rolePassword(owner, "a"),
    );
  });

  it("names another role of the same database", () => {
    expect(asRole(given.DATABASE_URL, "tributary_visits", "p/w")).toBe(
      "postgres://tributary_visits:p%2Fw@db:5432/tributary",
    );
  });
});
