import { oneOf, projection, uuid } from "../../engine/projector/definition.js";
import { acknowledge, acknowledgeTransmission, report } from "./answers.js";
import { deadlineView } from "./deadlines.js";
import { ladderView } from "./ladder.js";
import { pay } from "./payment.js";
import { receiveRemittance, remittanceTables } from "./remittances.js";
import { replacementsOf } from "./replacements.js";
import { submit } from "./submission.js";
import { claimTables } from "./tables.js";
import { unbalancedView } from "./unbalanced.js";

export default projection({
  name: "claims",
  version: 5,
  tables: { ...claimTables, ...remittanceTables },
  fold: {
    ClaimSubmitted: submit,
    ClaimReplaced: submit,
    ClaimVoided: submit,
    ClaimAdjudicated: pay,
    ClaimPaymentReversed: pay,
    RemittanceReceived: receiveRemittance,
    ClaimAcknowledged: acknowledge,
    ClaimStatusReported: report,
    InterchangeAcknowledged: acknowledgeTransmission,
  },
  views: { acknowledgment_ladder: ladderView, deadline_breaches: deadlineView, unbalanced_amounts: unbalancedView },
  derived: {
    claim_replacements: {
      comment: "Claims that replace another, or are replaced.",
      key: ["claim_id"],
      columns: {
        claim_id: uuid("The claim."),
        status: oneOf(["replaced"], "replaced when another claim stands for it."),
        replaces_claim_id: uuid("The claim that this one replaces (REF*F8 under another CLM01)."),
        replaced_by_claim_id: uuid("The claim that stands for this one."),
      },
      from: ["claim_numbers"],
      derive: (rows) => replacementsOf(rows.claim_numbers ?? []),
      overlays: "claims",
    },
  },
});
