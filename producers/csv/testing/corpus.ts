import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { repositoryRoot } from "../../../engine/service/root.js";
import { type Profile, profileSchema } from "../profile.js";

/** Folder of the sample files, or null where it is absent. */
export const corpus: string | null = (() => {
  const folder = process.env.TRIBUTARY_CORPUS ?? join(repositoryRoot, "..", "shared", "data");
  if (existsSync(join(folder, "csv"))) return folder;
  console.log("Skipped: the sample files are absent; set TRIBUTARY_CORPUS to their folder.");
  return null;
})();

/** A sample file, unpacked. */
export function sample(...path: string[]): Buffer {
  const bytes = readFileSync(join(corpus ?? "", ...path));
  return path.at(-1)?.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

const partners = join(repositoryRoot, "producers", "csv", "partners");

/** The profiles that the connector comes with. */
export const profiles: ReadonlyMap<string, Profile> = new Map(
  readdirSync(partners).map((file) => [
    file.replace(/\.json$/, ""),
    profileSchema.parse(JSON.parse(readFileSync(join(partners, file), "utf8"))),
  ]),
);
