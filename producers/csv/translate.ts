import type { EventDraft, Surrogate } from "../../engine/intake/connector.js";
import type { Layout } from "./layout.js";
import type { Profile } from "./profile.js";
import type { Reading } from "./reading.js";
import { translatePatient } from "./translate-patient.js";
import { translatePayment } from "./translate-payment.js";
import { translateVisit } from "./translate-visit.js";

/** What a translation may look at besides the row. */
export interface Sender {
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  /** Epoch milliseconds: the time of what a row gives no time for. */
  readonly receivedAt: number;
}

/** What a row is about: the same names are the same thing told again. */
export interface Subject {
  readonly names: readonly string[];
  /** Surrogate ids that stand for the names: others stand for other names. */
  readonly ids: readonly string[];
  /** The sender's own number of it. */
  readonly number: string;
}

/** What a row says. */
export interface Translation extends Subject {
  /** @param occurrence ordinal of this telling among different ones of the same subject in the file, from 1. */
  events(occurrence: number): readonly EventDraft[];
  readonly flags: readonly string[];
  /** Whose keys seal the row's bytes. */
  readonly sealFor: readonly string[];
}

/**
 * Translates a row. Pure. What is wrong in it is in `reading.problem` afterwards, and the translation then worth nothing.
 * @returns null when it is not known what the row is about.
 */
export function translateRow(reading: Reading, layout: Layout, sender: Sender): Translation | null {
  switch (sender.profile.rows) {
    case "patients":
      return translatePatient(reading, layout, sender);
    case "visits":
      return translateVisit(reading, layout, sender);
    case "payments":
      return translatePayment(reading, sender);
  }
}
