import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import type { Region } from "../region.js";

/** What the specs of erased patients share. */
export interface Parts {
  readonly region: Region;
  readonly unit: (text: string, sealFor: readonly string[], events: readonly EventDraft[]) => ReceivedUnit;
  /** Registered, admitted, claimed. */
  readonly told: (name: string, time: number) => readonly ReceivedUnit[];
  readonly patientOf: (name: string) => string;
  readonly visitOf: (name: string) => string;
  readonly claimOf: (name: string) => string;
}
