import { again, final } from "./error-kinds.js";

/** Coded errors of receiving over HTTP; part of `errorDefinitions`. */
export const receptionErrorDefinitions = {
  TRIB_RECEPTION_BODY_TOO_LARGE: {
    summary: "The body is larger than is taken, as sent or after decompression.",
    remedy: "Send less at once, or raise CONNECTOR_BODY_LIMIT or CONNECTOR_DECODED_LIMIT.",
    ...final(70, 413),
  },
  TRIB_RECEPTION_BODY_UNREADABLE: {
    summary: "The body ended early, or its compression is broken.",
    remedy: "Send it again as a whole, compressed as Content-Encoding says.",
    ...final(70, 400),
  },
  TRIB_RECEPTION_BUSY: {
    summary: "As much is in hand as may be.",
    remedy: "Send it again after the seconds of Retry-After; if it stays, see whether Kafka is slow.",
    ...again(75, 503),
  },
  TRIB_RECEPTION_CLOSING: {
    summary: "The connector is stopping.",
    remedy: "Send it again after the seconds of Retry-After.",
    ...again(75, 503),
  },
  TRIB_RECEPTION_CREDENTIAL_MISSING: {
    summary: "A credential that a partner profile or a delivery names can't be read or used.",
    remedy:
      "Put the file named into the folder of credentials, readable by the process: CONNECTOR_CREDENTIALS for a connector, DELIVERY_CREDENTIALS for a delivering consumer.",
    ...final(78, 500),
  },
  TRIB_RECEPTION_ENCODING_UNKNOWN: {
    summary: "The content encoding isn't one that is read.",
    remedy: "Use gzip, deflate, br or none.",
    ...final(70, 415),
  },
  TRIB_RECEPTION_HISTORY_TOO_LARGE: {
    summary: "What a partner's server lists newest first is more than may wait until its oldest is reached.",
    remedy:
      "Nothing of it was taken in. Raise `pull.historyLimit` of the partner's profile, with room in the temporary folder; or take in what is old by export, and name in `pull.from` the time of the export.",
    ...final(70, 500),
  },
  TRIB_RECEPTION_KEYS_UNREACHABLE: {
    summary: "The partner's key set can't be fetched.",
    remedy: "Check the address `jwksUrl` of its profile, and the way to it.",
    ...again(75, 503),
  },
  TRIB_RECEPTION_STATE_UNWRITABLE: {
    summary: "The use of a client's assertion can't be kept.",
    remedy:
      "Check `TRIBUTARY_HOME` of the connector: its folder `used-assertions` must be writable, and its disk not full.",
    ...again(75, 503),
  },
  TRIB_RECEPTION_MEDIA_TYPE: {
    summary: "The content type isn't one that is taken here.",
    remedy: "Send what the connector's README names, with its content type.",
    ...final(70, 415),
  },
  TRIB_RECEPTION_METHOD_NOT_ALLOWED: {
    summary: "This address doesn't take this method.",
    remedy: "Use one of those that the header Allow names.",
    ...final(70, 405),
  },
  TRIB_RECEPTION_NO_SUCH_ADDRESS: {
    summary: "There is nothing at this address.",
    remedy: "See the connector's addresses in `tributary status` and its README.",
    ...final(70, 404),
  },
  TRIB_RECEPTION_PARTNER_SUSPENDED: {
    summary: "The partner is not let in for now: its profile can't be used.",
    remedy:
      "Send it again after the seconds of Retry-After. `tributary doctor` says what is wrong in the profile; mend it and `tributary producers restart` the connector.",
    ...again(78, 503),
  },
  TRIB_RECEPTION_PARTNER_UNKNOWN: {
    summary: "No partner of this name has a profile.",
    remedy: "Check the name in the address; `tributary producers list` shows the partners.",
    ...final(70, 404),
  },
  TRIB_RECEPTION_UNAUTHENTICATED: {
    summary: "Nothing in the request proves that it comes from the partner.",
    remedy: "Use one of the ways that its profile lists under `authentication`; a password only over TLS.",
    ...final(70, 401),
  },
} as const;
