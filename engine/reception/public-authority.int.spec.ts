import { readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { certificateFolder } from "../testing/certificates.js";
import { startChild } from "../testing/child.js";
import type { ReceptionReport, ReceptionTask } from "../testing/reception-process.js";

const { folder, path, openssl, hasOpenssl } = certificateFolder("public");

/** A key, and a certificate signed by an authority, else by itself. */
function certificate(name: string, subject: string, authority?: string): void {
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject];
  const into = ["-keyout", `${name}.key`];
  if (authority === undefined) openssl("req", "-x509", "-days", "2", ...made, ...into, "-out", `${name}.pem`);
  else {
    openssl("req", ...made, ...into, "-out", `${name}.csr`);
    const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
    openssl("x509", "-req", "-days", "2", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`);
  }
}

/** Posts as who has the certificate `partner`. @returns the status. */
const postTo = (url: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const shown = { cert: readFileSync(path("partner.pem")), key: readFileSync(path("partner.key")) };
    const options = { method: "POST", ca: readFileSync(path("public.pem")), agent: false, ...shown };
    const sent = request(url, { ...options, checkServerIdentity: () => undefined }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject);
    sent.end("x");
  });

describe.skipIf(!hasOpenssl)("a name in a certificate that a public authority signed", () => {
  beforeAll(() => {
    certificate("public", "/CN=Public Authority");
    certificate("server", "/CN=127.0.0.1", "public");
    certificate("partner", "/CN=partner.example", "public");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a reception that trusts `authority` answers to the partner's certificate, in a process to which `public` is public. */
  async function answered(authority: Readonly<Record<string, string>>) {
    const task: ReceptionTask = {
      partners: { named: [{ method: "certificate", subject: "partner.example" }] },
      environment: {
        CONNECTOR_TLS_CERT_FILE: path("server.pem"),
        CONNECTOR_TLS_KEY_FILE: path("server.key"),
        ...authority,
      },
    };
    const child = startChild<ReceptionTask, ReceptionReport>("reception-process", task, {
      NODE_EXTRA_CA_CERTS: path("public.pem"),
      // What it leaves behind goes with the certificates.
      TMPDIR: folder,
    });
    try {
      const report = await vi.waitFor(() => child.reports[0] ?? Promise.reject(new Error(child.errors())), 20_000);
      return { isPublic: report.isPublic, status: await postTo(report.urls.named as string) };
    } finally {
      child.signal("SIGKILL");
      await child.ended;
    }
  }

  it("lets nobody in, unless it is an authority that the connector was given", async () => {
    expect(await answered({})).toEqual({ isPublic: true, status: 401 });
    expect(await answered({ CONNECTOR_TLS_CA_FILE: path("public.pem") })).toEqual({ isPublic: true, status: 200 });
    certificate("other", "/CN=Another Authority");
    expect(await answered({ CONNECTOR_TLS_CA_FILE: path("other.pem") })).toEqual({ isPublic: true, status: 401 });
  });
});
