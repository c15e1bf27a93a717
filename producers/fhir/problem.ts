/** Kinds of issue that we answer with (FHIR R4 code system issue-type). */
export type IssueCode =
  | "structure"
  | "required"
  | "value"
  | "invariant"
  | "code-invalid"
  | "extension"
  | "not-supported"
  | "not-found"
  | "too-costly"
  | "too-long"
  | "forbidden"
  | "business-rule"
  | "conflict"
  | "transient"
  | "exception";

/** What is wrong with a resource, and where. Never with a value. */
export interface Problem {
  readonly code: IssueCode;
  /** FHIRPath of the place: `Patient.birthDate`. */
  readonly place: string;
  /** What its sender reads; default: what the code says. */
  readonly words?: string;
}

/** Status of a single resource's answer, the code of its verdict, and what its sender reads. */
const kinds: Readonly<Record<IssueCode, { readonly status: number; readonly words: string }>> = {
  structure: { status: 400, words: "The structure is not that of the definition." },
  value: { status: 400, words: "The value is not one of its type." },
  required: { status: 422, words: "A required element is missing." },
  invariant: { status: 422, words: "An invariant of the definition is not met." },
  "code-invalid": { status: 422, words: "The code is not in the required value set." },
  extension: { status: 422, words: "A modifier extension is not understood, so the element can't be used." },
  "not-supported": { status: 404, words: "There is no such resource type or operation." },
  "not-found": { status: 404, words: "There is no such place." },
  "too-costly": { status: 413, words: "It has more levels, values or entries than are taken." },
  "too-long": { status: 413, words: "It is larger than is taken." },
  forbidden: { status: 403, words: "This sender may not send this." },
  "business-rule": { status: 422, words: "It can't be taken for a reason beyond its form." },
  conflict: { status: 412, words: "Versions are not compared here: what says If-Match is not taken." },
  transient: { status: 503, words: "Nothing is durable now; send it again." },
  exception: { status: 422, words: "It could not be translated; it is kept." },
};

/** A method that an entry of a bundle can't ask for is told as it would be by itself. */
export const statusOf = ({ code, place }: Problem): number =>
  code === "not-supported" && place.endsWith(".request.method") ? 405 : kinds[code].status;
export const wordsOf = (code: IssueCode): string => kinds[code].words;

/** `FHIR_CODE_INVALID`: stable code of a verdict. */
export const verdictCodeOf = (code: IssueCode): string => `FHIR_${code.toUpperCase().replace(/-/g, "_")}`;

const codesByVerdict: ReadonlyMap<string, IssueCode> = new Map(
  (Object.keys(kinds) as IssueCode[]).map((code) => [verdictCodeOf(code), code]),
);

/** The issue of a verdict; what the journal refuses by itself is too long. */
export function issueOfVerdict(code: string): IssueCode {
  return codesByVerdict.get(code) ?? (code === "UNIT_TOO_LARGE" ? "too-long" : "business-rule");
}

/** The kind of an issue of the library's validator: it says `structure` of much that has a code of its own. */
export function issueCodeOf(code: string | undefined, words: string | undefined): IssueCode {
  if (words?.startsWith("Missing required property")) return "required";
  if (words !== undefined && /format$|^Invalid numeric|^Expected number/.test(words)) return "value";
  return code === "invariant" || code === "processing" ? "invariant" : "structure";
}

const readable = /^[A-Za-z0-9_.[\]:-]{1,300}$/;

/** A place that is fit to be told: names of the definition, and of a sender's members only where they look like names. */
export function tellable(place: string): string {
  let told = place;
  while (!readable.test(told) && told.includes(".")) told = told.slice(0, told.lastIndexOf("."));
  return readable.test(told) ? told : "Resource";
}
