import { expect, it } from "vitest";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import type { Erased } from "../../engine/vault/erase.js";
import type { Parts } from "./parts.js";

interface Erasing extends Parts {
  readonly erase: (name: string) => Promise<Erased>;
  readonly equalEverywhere: () => Promise<void>;
}

/** Erasures of patients of whom a claim or a visit was told once that is another's. */
export function sharedWithOthers(parts: () => Erasing): void {
  it("leaves another what is the other's by now, and takes what was sealed for the one who is erased", async () => {
    const { region, told, unit, patientOf, claimOf, visitOf, erase, equalEverywhere } = parts();
    const as = (name: string, index: number, subject: string, visitId: string | null): ReceivedUnit => {
      const [draft] = (told(name, 7_000 + index)[index] as ReceivedUnit).events as [EventDraft];
      const fields = index === 2 ? { ...draft.fields, visitId, contentHash: name } : draft.fields;
      return unit(`${name} ${index}`, [patientOf(name)], [{ ...draft, subject, fields } as EventDraft]);
    };
    const [claim, visit, nameless] = [claimOf("Shared"), visitOf("Shared"), claimOf("Nameless")];
    /** A claim of the visit that names nobody: it goes with the visit. */
    const unnamed = (): ReceivedUnit => {
      const [draft] = (as("Hal", 2, nameless, visit).events ?? []) as [EventDraft];
      const fields = { ...draft.fields, patientId: null, contentHash: "nameless" };
      return unit("nameless", [nameless], [{ ...draft, fields, sealFor: nameless } as EventDraft]);
    };
    await region.intake.submit([as("Gil", 1, visit, null), as("Gil", 2, claim, null)]);
    await region.settle();
    await region.intake.submit([as("Hal", 1, visit, null), as("Hal", 2, claim, null), unnamed()]);
    await region.settle();
    const members = () =>
      region.rows("SELECT patient_id, member_id FROM projections_restricted.claim_submissions WHERE claim_id = $1", [
        claim,
      ]);
    const ofNameless = () =>
      region.rows("SELECT member_id FROM projections_restricted.claims WHERE claim_id = $1", [nameless]);
    const shown = () =>
      region.rows(
        `SELECT c.patient_id, c.member_id, c.patient_control_number, v.visit_number FROM projections_restricted.claims c
         JOIN projections_restricted.visits v ON v.visit_id = $2 WHERE c.claim_id = $1`,
        [claim, visit],
      );
    const [gil, hal] = [patientOf("Gil"), patientOf("Hal")];
    expect(await members()).toEqual(
      expect.arrayContaining([
        { patient_id: gil, member_id: "M Gil" },
        { patient_id: hal, member_id: "M Hal" },
      ]),
    );
    expect(await erase("Gil")).toMatchObject({ outcome: "erased", visits: 0, claims: 0, anothers: 3, keys: 1 });
    await region.settle();
    expect(await ofNameless()).toEqual([{ member_id: "M Hal" }]);
    const his = { patient_id: hal, member_id: "M Hal" };
    expect(await shown()).toEqual([{ ...his, patient_control_number: "C Hal", visit_number: "V Hal" }]);
    expect(await members()).toEqual(expect.arrayContaining([{ patient_id: gil, member_id: null }, his]));
    await equalEverywhere();
    expect(await erase("Hal")).toMatchObject({ visits: 1, claims: 2, anothers: 0 });
    await region.settle();
    expect(await ofNameless()).toEqual([{ member_id: null }]);
    const gone = { member_id: null, patient_control_number: null, visit_number: null };
    expect(await shown()).toEqual([{ patient_id: hal, ...gone }]);
    expect((await members()).map(({ member_id }) => member_id)).toEqual([null, null]);
  });
}
