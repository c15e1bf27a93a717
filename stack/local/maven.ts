import { TributaryError } from "../../engine/service/errors.js";
import { run, tail } from "../commands.js";
import { tellsOfFullDisk } from "../disk.js";
import { versions } from "../versions.js";

export interface MavenRequest {
  /** Goal of the dependency plugin. */
  readonly goal: "copy" | "copy-dependencies";
  /** Properties of the goal. */
  readonly properties: Readonly<Record<string, string>>;
  /** A `pom.xml`, when the goal needs one. */
  readonly pom?: string;
  /** Folder of Maven's local repository, so that nothing is left in the user's home. */
  readonly repository: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Runs one goal of Maven's dependency plugin; mirrors and proxies of the user's `settings.xml` hold.
 * @throws TRIB_STACK_MAVEN_MISSING, TRIB_STACK_DOWNLOAD_FAILED, TRIB_STACK_DISK_FULL
 */
export async function maven(request: MavenRequest): Promise<void> {
  const answer = await run(
    "mvn",
    [
      "--batch-mode",
      "--update-snapshots",
      "--strict-checksums",
      "--no-transfer-progress",
      ...(request.pom ? ["--file", request.pom] : []),
      `-Dmaven.repo.local=${request.repository}`,
      ...Object.entries(request.properties).map(([name, value]) => `-D${name}=${value}`),
      `org.apache.maven.plugins:maven-dependency-plugin:${versions.mavenDependencyPlugin}:${request.goal}`,
    ],
    { environment: request.environment },
  );
  if (answer.missing) throw new TributaryError("TRIB_STACK_MAVEN_MISSING");
  if (answer.exitCode === 0) return;
  const reasons = answer.output.split("\n").filter((line) => line.includes("[ERROR]"));
  const told = tail((reasons.length > 0 ? reasons.slice(0, 2) : [answer.output]).join("\n"));
  if (tellsOfFullDisk(answer.output)) throw new TributaryError("TRIB_STACK_DISK_FULL", told);
  throw new TributaryError("TRIB_STACK_DOWNLOAD_FAILED", `Maven could not download: ${told}`);
}
