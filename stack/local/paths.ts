import { join } from "node:path";
import type { ServiceName } from "../services.js";

/** The folders and files of a local stack below its home. */
export function pathsOf(home: string) {
  return {
    data: (service: ServiceName) => join(home, "data", service),
    log: (service: ServiceName) => join(home, "logs", `${service}.log`),
    /** Process id, written by the service's own process before it becomes the service. */
    pid: (service: ServiceName) => join(home, "run", `${service}.pid`),
    /** Configuration, made anew at each start. */
    configuration: (name: string) => join(home, "run", name),
    folders: ["data", "logs", "run"].map((name) => join(home, name)),
  } as const;
}

/**
 * A text that is on the command line of a service of this home and of no other process: it tells whether the process
 * that has a remembered id is still the service.
 */
export function markOf(home: string, service: ServiceName): string {
  return service === "postgres" ? `-D ${pathsOf(home).data("postgres")} ` : `-Dtributary.service=${home}#${service} `;
}
