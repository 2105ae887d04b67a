// Pages made by the program, opened in a browser of which nothing is left afterwards.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import * as browsers from "./browser.mjs";

/** The folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the files of a test file lie. */
export const folder = mkdtempSync(join(tmpdir(), "gtr-browser-"));

let browser;

before(async () => {
  browser = await browsers.launched();
});

after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** What the program prints. */
export function gtr(...args) {
  const program = process.env.GTR_CLI ?? join(root, "target/debug/gtr-cli");
  return execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A page that the program writes with these arguments. */
export function written(name, ...args) {
  gtr(...args, "--format", "html", "--out", name);
  return join(folder, name);
}

/** The same page, its text changed. */
export function changed(path, change) {
  const other = path.replace(/\.html$/, "-changed.html");
  const text = readFileSync(path, "utf8");
  assert.notEqual(change(text), text);
  writeFileSync(other, change(text));
  return other;
}

/** Opens a page in a fresh context, lets `look` look at it, and finds out that nothing went wrong. */
export async function opened(path, options, look) {
  const troubles = await visited(path, options, look);
  assert.deepEqual(troubles, []);
}

/** The same, but gives what went wrong. */
export function visited(path, options, look) {
  return browsers.visited(browser, path, options, look);
}

/** Where the player is, as it says: one fraction a plan. */
export async function position(page) {
  return page.locator("#player output").textContent();
}

/** What is told of the token that is looked at, by plan. */
export async function facts(page, plan = 0) {
  const list = page.locator("dl.facts").nth(plan);
  return list.evaluate((element) =>
    Object.fromEntries([...element.querySelectorAll("dd")].map((fact) => [fact.dataset.fact, fact.textContent])),
  );
}

/** The middle of a token on the screen. */
export async function middle(page, token, { height, width }, plan = 0) {
  const canvas = page.locator("canvas").nth(plan);
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  return {
    x: box.x + ((token % width) + 0.5) * (box.width / width),
    y: box.y + (Math.floor(token / width) + 0.5) * (box.height / height),
  };
}

/** The colour of each token, taken at a share of its cell from the corner: where nothing is written, or on its frame. */
export async function colours(page, { height, width }, plan = 0, share = 0.2) {
  return page
    .locator("canvas")
    .nth(plan)
    .evaluate(
      (canvas, [height, width, share]) => {
        // A copy, so that the page's own canvas stays where it is drawn fast.
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        const pixel = (token) => {
          const x = Math.round((((token % width) + share) * canvas.width) / width);
          const y = Math.round(((Math.floor(token / width) + share) * canvas.height) / height);
          return [...data.slice(4 * (y * canvas.width + x), 4 * (y * canvas.width + x) + 3)].join();
        };
        return Array.from({ length: height * width }, (_, token) => pixel(token));
      },
      [height, width, share],
    );
}

/** A property of the page's style, as it is shown. */
export async function styled(page, property) {
  return page.evaluate((property) => getComputedStyle(document.body)[property], property);
}

/** The AR step of each token, as the program's own drawing has it. */
export function drawnSteps(flags, { height }) {
  const text = gtr("plan", ...flags, "--seed", "0");
  const lines = text.split("\n");
  const from = lines.findIndex((line) => line.startsWith("AR step of each token")) + 1;
  assert.notEqual(from, 0);
  return lines.slice(from, from + height).flatMap((line) => line.trim().split(/\s+/).map(Number));
}

/** Waits until something holds, as when a picture has been loaded. */
export async function eventually(check) {
  for (let left = 50; ; left -= 1) {
    try {
      await check();
      return;
    } catch (error) {
      if (left === 0) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
