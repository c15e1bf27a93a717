import type { Row } from "../../engine/projector/definition.js";

/**
 * Which claim replaces which. A replacement under another CLM01 names the payer's number of the old claim (REF*F8), and
 * only the payer's answers tell whose number that is, so it takes all claims together.
 *
 * A number belongs to the claim it was first reported for (a payer may keep it for the replacement). A claim that names
 * its own number is a plain update of itself. A number that no answer has told replaces nothing yet.
 * @param numbers rows of `claim_numbers`
 * @returns a row a claim that replaces or is replaced
 */
export function replacementsOf(numbers: readonly Row[]): readonly Row[] {
  const owners = new Map<string, Row>();
  for (const row of numbers) {
    if (row.relation !== "known") continue;
    const owner = owners.get(row.number as string);
    if (!owner || before(row, owner)) owners.set(row.number as string, row);
  }

  const replaces = new Map<string, Row>();
  const replacedBy = new Map<string, Row>();
  for (const row of numbers) {
    const owner = row.relation === "replaces" ? owners.get(row.number as string) : undefined;
    if (!owner || owner.claim_id === row.claim_id) continue;
    keepLatest(replaces, row.claim_id as string, row);
    keepLatest(replacedBy, owner.claim_id as string, row);
  }

  return [...new Set([...replaces.keys(), ...replacedBy.keys()])].sort().map((claim) => {
    const naming = replaces.get(claim);
    const replacement = replacedBy.get(claim);
    return {
      claim_id: claim,
      status: replacement ? "replaced" : null,
      replaces_claim_id: naming ? (owners.get(naming.number as string)?.claim_id ?? null) : null,
      replaced_by_claim_id: replacement?.claim_id ?? null,
    };
  });
}

/** By time, then by claim and number, so that equal times are decided the same everywhere. */
function before(left: Row, right: Row): boolean {
  if (left.at !== right.at) return (left.at as number) < (right.at as number);
  if (left.claim_id !== right.claim_id) return (left.claim_id as string) < (right.claim_id as string);
  return (left.number as string) < (right.number as string);
}

function keepLatest(rows: Map<string, Row>, key: string, row: Row): void {
  const kept = rows.get(key);
  if (!kept || before(kept, row)) rows.set(key, row);
}
