import { restricted, text } from "../../engine/projector/definition.js";

/** Numbers that name a claim to its provider and payer, and its subscriber: from sealed content. */
export const details = {
  patient_control_number: restricted(text("The provider's number of the claim (CLM01, CLP01).")),
  payer_control_number: restricted(text("The payer's number of the claim (CLP07, else REF*F8).")),
  member_id: restricted(text("Member id of the subscriber.")),
};
