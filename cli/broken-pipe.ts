/** As a shell tells of a process that SIGPIPE ended. */
const endedByPipe = 141;

/**
 * Has the process end as any other command does whose reader went away (`… | head -1`): quietly, with 141. Node ignores
 * SIGPIPE, so that it would be an error in the middle of whatever is printed next. A command that ends in order on SIGTERM
 * is told so instead, as what it has started must not outlive it.
 */
export function endWithReader(): void {
  let gone = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (gone) return;
      gone = true;
      process.exitCode = endedByPipe;
      if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
      else process.exit(endedByPipe);
    });
  }
}
