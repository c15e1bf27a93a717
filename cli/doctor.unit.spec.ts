import { expect, it } from "vitest";
import type { Status } from "../engine/service/status.js";
import { parkedProblems } from "./doctor.js";

const status = (projections: object[], deliveries: object[]) =>
  ({ projections, deliveries }) as unknown as Pick<Status, "projections" | "deliveries">;

it("the doctor tells of parked keys of deliveries, too", () => {
  const [none, one] = [
    { name: "claims", parkedKeys: 0 },
    { name: "acme-plan", parkedKeys: 1 },
  ];
  expect(parkedProblems(status([none], []))).toBe("");
  expect(parkedProblems(status([none], [one]))).toContain("1 keys are held back, of acme-plan");
});
