const lookMilliseconds = 500;

/**
 * Ends this process in order, as SIGTERM does, when the npm that it was started by is gone. `npx` passes a signal on to the
 * shell between them, and that shell dies of it without telling anyone.
 */
export function endWithNpm(): void {
  if (process.env.npm_command === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, lookMilliseconds);
  timer.unref();
}
