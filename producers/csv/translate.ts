import type { Layout } from "./layout.js";
import type { Reading } from "./reading.js";
import { translatePatient } from "./translate-patient.js";
import { translatePayment } from "./translate-payment.js";
import { translateVisit } from "./translate-visit.js";
import type { Sender, Translation } from "./translation.js";

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
