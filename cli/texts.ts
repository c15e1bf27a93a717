import { InvalidArgumentError } from "commander";

/** Longest name of who asks or decides, and longest reason, in characters. */
const longest = { name: 100, text: 1_000 } as const;

/** Letters of any script, digits, and what stands in names of users, of roles and of people. */
const names = /^[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N} ._@+:'’,()\\/-]*$/u;

/** Characters that no terminal and no page shows: control, format (directions of writing too), surrogates by themselves. */
const unshown = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * Who asks or decides, as the record keeps it: nothing that could be taken for another line or another field of it.
 * @throws InvalidArgumentError
 */
export function nameGiven(text: string): string {
  const name = text.trim();
  if (name.length > longest.name || !names.test(name)) {
    throw new InvalidArgumentError(
      `a name of at most ${longest.name} letters, digits, spaces and . _ @ + : ' , ( ) / \\ -, which begins with a letter or digit.`,
    );
  }
  return name;
}

/**
 * A reason, or who is given something, as the record keeps it.
 * @throws InvalidArgumentError when it is empty, too long, or has characters that can't be seen.
 */
export function textGiven(text: string): string {
  const given = text.trim();
  if (given === "" || given.length > longest.text || unshown.test(given)) {
    throw new InvalidArgumentError(
      `text of at most ${longest.text} characters on one line, with nothing in it that can't be seen.`,
    );
  }
  return given;
}
