import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { TributaryError } from "../service/errors.js";

type Fault = Error & {
  readonly code?: string;
  /** Of a name that differs: the server's certificate. */
  readonly cert?: { readonly subjectaltname?: string; readonly subject?: { readonly CN?: string | string[] } };
};

/** What a sender sees of TLS on one connection. */
export interface TlsWatch {
  /**
   * Why nothing was answered, where TLS is the reason.
   * @param error what the connection ended with; undefined when it was closed without one.
   * @param unanswered whether it was closed before the server said anything at all, over a protocol whose servers refuse
   * a certificate in that way only.
   * @returns TRIB_CLI_SERVER_UNTRUSTED, TRIB_CLI_CERTIFICATE_REFUSED or TRIB_CONNECTOR_UNREACHABLE; undefined when TLS
   * is not the reason.
   */
  fault(error?: Error, unanswered?: boolean): TributaryError | undefined;
}

/**
 * Watches a connection that is being made.
 * @param url address that is told of in errors.
 * @param shown whether a client certificate is shown.
 */
export function watchTls(socket: Socket, url: string, shown: boolean): TlsWatch {
  if (!(socket instanceof TLSSocket)) return { fault: () => undefined };
  let secure = false;
  // Since TLS 1.3 a client is through before the server has looked at its certificate.
  let asked = false;
  socket.once("secureConnect", () => {
    secure = true;
    asked = socket.getSharedSigalgs().length > 0;
  });
  return {
    fault(error: Fault | undefined, unanswered = false) {
      const told = (code: "TRIB_CLI_SERVER_UNTRUSTED" | "TRIB_CLI_CERTIFICATE_REFUSED", why: string) =>
        new TributaryError(code, why, { address: url }, { cause: error });
      const code = error?.code ?? "";
      if (socket.authorizationError) return told("TRIB_CLI_SERVER_UNTRUSTED", distrust(url, error));
      if (/ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT_ERROR)/.test(code))
        return told(
          "TRIB_CLI_CERTIFICATE_REFUSED",
          `${url} refuses ${shown ? "the" : "a sender without a"} client certificate (${code}).`,
        );
      if (asked && unanswered) {
        const given = shown ? "it seems not to take the one given" : "none was given";
        const why = `${url} asks for a client certificate, and closed the connection without an answer: ${given}.`;
        return told("TRIB_CLI_CERTIFICATE_REFUSED", why);
      }
      if (secure || !/SSL|EPROTO|ECONNRESET/.test(code)) return undefined;
      const why = `No TLS connection comes about with ${url} (${code}).`;
      return new TributaryError("TRIB_CONNECTOR_UNREACHABLE", why, { address: url }, { cause: error });
    },
  };
}

function distrust(url: string, error: Fault | undefined): string {
  if (error?.code !== "ERR_TLS_CERT_ALTNAME_INVALID")
    return `The certificate of ${url} is not trusted (${error?.code}).`;
  const names = error.cert?.subjectaltname || [error.cert?.subject?.CN ?? "nobody"].flat().join(", ");
  return `The certificate of ${url} is for another name: ${names}.`;
}
