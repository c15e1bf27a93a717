import { assertKafkajsVersion, type Connection, connectionClass } from "./kafkajs-internals.js";

/**
 * Lets callers that want a connection at the same time share one.
 *
 * Requests that come while a connection isn't made yet each make one, and each forgets the socket of the one before:
 * that socket is never closed, and keeps its process from ending. Parallel reads of several partitions do so.
 */
function share(prototype: Connection): void {
  const { connect, disconnect } = prototype;
  const underWay = new WeakMap<Connection, Promise<boolean>>();
  prototype.connect = function (this: Connection) {
    const shared = underWay.get(this);
    if (shared) return shared;
    if (!this.isConnected()) forgetHalfReply(this);
    const made = connect.call(this);
    underWay.set(this, made);
    const forget = () => {
      if (underWay.get(this) === made) underWay.delete(this);
    };
    made.then(forget, forget);
    return made;
  };
  prototype.disconnect = function (this: Connection) {
    // A try that is given up may never settle.
    underWay.delete(this);
    return disconnect.call(this);
  };
}

/** Bytes of a reply's length, with which each reply begins. */
const lengthBytes = 4;

/**
 * What came of a reply before its connection was lost is no part of what the next connection brings. The library would
 * put both together: a request is then answered with bytes of another reply, and a read beyond the end stops the process.
 */
function forgetHalfReply(connection: Connection): void {
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = lengthBytes;
}

let applied = false;

/** Applies both corrections to the installed library, once a process. @throws when it is another version. */
export function shareConnecting(): void {
  if (applied) return;
  assertKafkajsVersion();
  share(connectionClass().prototype);
  applied = true;
}
