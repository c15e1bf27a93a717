import type { EventDraft, Surrogate } from "../../engine/intake/connector.js";
import type { Profile } from "./profile.js";

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
