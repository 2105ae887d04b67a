// A browser that opens each page in a fresh context and collects its errors.

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
 * Opens a file and calls `look` with the page. The clock of the page is stopped; `page.clock` advances it.
 *
 * Returns the errors, the console messages and the network requests of the page.
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
