import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings } from "../engine/service/settings.js";
import { certificateFolder } from "../engine/testing/certificates.js";
import { proofOf } from "./partner-proof.js";

const { folder, openssl, hasOpenssl } = certificateFolder("proofs");
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!hasOpenssl)("what `send` is given to prove itself with", () => {
  beforeAll(() => {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for (const name of ["lake", "other"])
      openssl("req", "-x509", ...curve, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`);
  });

  const given = (cert: string, certKey: string, ca?: string) =>
    proofOf(
      {},
      { cert: join(folder, cert), certKey: join(folder, certKey), ...(ca && { ca: join(folder, ca) }) },
      readSettings({}),
    );

  it("is a certificate with its own key", () => {
    const cert = readFileSync(join(folder, "lake.pem"), "utf8");
    expect(given("lake.pem", "lake.key", "other.pem")).toMatchObject({ certificate: { cert } });
  });

  it.each<[...Parameters<typeof given>, RegExp]>([
    ["lake.pem", "other.key", undefined, /other\.key is not that of the certificate in .*lake\.pem/],
    ["lake.key", "lake.key", undefined, /no certificate in .*lake\.key/],
    ["lake.pem", "lake.pem", undefined, /no private key .*lake\.pem/],
    ["lake.pem", "lake.key", "lake.key", /no certificate in .*lake\.key/],
  ])("%s with %s and %s is unusable, and said to be", (cert, key, ca, message) => {
    const refusal = { code: "TRIB_CLI_PROOF_UNUSABLE", message: expect.stringMatching(message) };
    expect(() => given(cert, key, ca)).toThrow(expect.objectContaining(refusal));
  });
});
