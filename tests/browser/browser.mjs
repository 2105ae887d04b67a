// A browser in which pages are visited, each in a fresh context; it is told what went wrong there.

import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium. */
export function launched() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/**
 * Opens a file and lets `look` look at it. Time stands still there until `page.clock` is told to run.
 *
 * Gives what went wrong: errors, messages of the console, and whatever was asked of the network.
 */
export async function visited(browser, path, options, look) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const own = pathToFileURL(path).href;
    const troubles = [];
    page.on("console", (message) => troubles.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (request.url() !== own && !request.url().startsWith("data:")) {
        troubles.push(`request: ${request.url()}`);
      }
    });
    await page.clock.install({ time: 0 });
    await page.goto(own);
    await page.clock.pauseAt(600_000);
    await look(page);
    return troubles;
  } finally {
    await context.close();
  }
}
