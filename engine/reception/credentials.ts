import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TributaryError } from "../service/errors.js";

/** Reads a credential by the name that a profile calls it. */
export type Credentials = (reference: string) => string;

/**
 * Credentials in a folder, one file a name, as mounted secrets are; trimmed of white space.
 * Read at the start, so that a missing one is found before a partner comes.
 * @throws TRIB_RECEPTION_CREDENTIAL_MISSING naming the file, never its content.
 */
export function credentialsIn(folder: string): Credentials {
  return (reference) => {
    const file = join(folder, reference);
    let content: string;
    try {
      content = readFileSync(file, "utf8").trim();
    } catch {
      throw new TributaryError("TRIB_RECEPTION_CREDENTIAL_MISSING", `The credential ${file} can't be read.`);
    }
    if (content === "")
      throw new TributaryError("TRIB_RECEPTION_CREDENTIAL_MISSING", `The credential ${file} is empty.`);
    return content;
  };
}
