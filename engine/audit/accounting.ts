/**
 * What an access is to whom it concerns. `disclosure`: something was made to be given away, which an accounting of
 * disclosures owes (45 CFR 164.528; 160.103: released, or made known, outside of the entity that holds it). `access`: somebody
 * here looked, opened or built again, which is a use and owed by no accounting.
 */
export type AccessNature = "disclosure" | "access";

/** An export is a disclosure, whoever was named as its recipient; so is whatever names a recipient, as deliveries do. */
export const natureOf = ({
  action,
  recipient,
}: {
  readonly action: string;
  readonly recipient: string | null;
}): AccessNature => (action === "EXPORT" || recipient !== null ? "disclosure" : "access");
