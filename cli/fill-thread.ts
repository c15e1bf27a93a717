import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { serveFill, type ThreadShare } from "../engine/replay/fill-thread.js";
import { withBuildSource } from "./build-source.js";

// A thread of `projections rebuild`: it fills partitions with connections, a codec and keys of its own.
const share = workerData as ThreadShare;
await withBuildSource(share.projection, share, ({ source, log }) =>
  serveFill(parentPort as MessagePort, share, { ...source, log, build: share.build }),
);
