import { accessSync, constants } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian, Ubuntu and macOS have a Chromium, or Chrome. */
const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Path of a browser on this machine: TRIBUTARY_CHROMIUM, else where it mostly is; says so once when there is none. */
export function browserPath(): string | undefined {
  for (const path of [process.env.TRIBUTARY_CHROMIUM, ...places]) {
    try {
      if (path === undefined) continue;
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  console.log("skipped: no Chromium on this machine (TRIBUTARY_CHROMIUM names one)");
  return undefined;
}

/** Starts it without a window. Pages come from this machine's disk, so that it may run as root in a container. */
export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
