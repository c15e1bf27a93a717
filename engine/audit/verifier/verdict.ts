import { Unable } from "./bytes.js";

/** What a verifier says. */
export interface Verdict {
  readonly ok: boolean;
  /** It could not look: neither yes nor no. */
  readonly unable?: boolean;
  /** In plain words: the verdict first. */
  readonly lines: readonly string[];
}

/** @param key fingerprint of the key by which it is signed. */
export const yes = (words: readonly string[], key: string, trusted: string | undefined): Verdict => ({
  ok: true,
  lines: [
    ...words,
    trusted === undefined
      ? `It is signed by the key with the fingerprint ${key}. Compare that with the one you were given.`
      : "It is signed by the key that you trust.",
  ],
});

export function no(what: string, error: unknown): Verdict {
  const found = error instanceof Error ? error.message : String(error);
  if (error instanceof Unable) return { ok: false, unable: true, lines: [`NOT CHECKED: ${found}.`] };
  return { ok: false, lines: [`NO: ${what}.`, `First thing found: ${found}.`] };
}
