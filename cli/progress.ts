import type { StackProgress } from "../stack/stack.js";

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** One line for a step of the stack. */
export function describeProgress(progress: StackProgress): string {
  switch (progress.kind) {
    case "waiting":
      return `waiting   another command is starting the stack (process ${progress.holderPid})`;
    case "downloading":
      return `download  ${progress.what} …`;
    case "downloaded":
      return `download  ${progress.what}: ${megabytes(progress.bytes)} in ${seconds(progress.milliseconds)}`;
    case "preparing":
      return `prepare   ${progress.what}`;
    case "starting":
      return `start     ${progress.service} …`;
    case "found":
      return `found     ${progress.service}`;
    case "ready":
      return `ready     ${progress.service} (${seconds(progress.milliseconds)})`;
    case "stopping":
      return `stop      ${progress.service} …`;
    case "stopped":
      return `stopped   ${progress.service} (${seconds(progress.milliseconds)})`;
  }
}
