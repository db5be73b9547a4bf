// Starts the Chromium of this machine, for tests that need a real browser.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const places = [
  process.env.KGL_TEST_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** A browser that asks nothing of its own accord. */
export async function startChromium() {
  const executablePath = places.find((path) => path && existsSync(path));
  assert.ok(executablePath, "no browser found: install chromium, or set KGL_TEST_CHROMIUM to its path");
  return chromium.launch({
    executablePath,
    args: [
      "--disable-background-networking", "--disable-component-update", "--disable-quic", "--disable-sync", "--no-first-run",
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}
