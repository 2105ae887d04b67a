// Helpers that write pages with the program and open them in a temporary browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import * as browsers from "./browser.mjs";

/** The root folder of the project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The temporary folder of a test file. */
export const folder = mkdtempSync(join(tmpdir(), "gtr-browser-"));

let browser;

before(async () => {
  browser = await browsers.launched();
});

after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** Returns the output of the program. */
export function gtr(...args) {
  const program = process.env.GTR_CLI ?? join(root, "target/debug/gtr-cli");
  return execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Writes a page with the program and these arguments. */
export function written(name, ...args) {
  gtr(...args, "--format", "html", "--out", name);
  return join(folder, name);
}

/** Writes a copy of a page with changed text. */
export function changed(path, change) {
  const other = path.replace(/\.html$/, "-changed.html");
  const text = readFileSync(path, "utf8");
  assert.notEqual(change(text), text);
  writeFileSync(other, change(text));
  return other;
}

/** Opens a page in a fresh context, calls `look`, and fails on errors of the page. */
export async function opened(path, options, look) {
  const troubles = await visited(path, options, look);
  assert.deepEqual(troubles, []);
}

/** The same, but returns the errors of the page. */
export function visited(path, options, look) {
  return browsers.visited(browser, path, options, look);
}

/** Returns the displayed positions of the player, one fraction per plan. */
export async function position(page) {
  return page.locator("#player output").textContent();
}

/** Returns the displayed description of the selected token, by plan. */
export async function facts(page, plan = 0) {
  const list = page.locator("dl.facts").nth(plan);
  return list.evaluate((element) =>
    Object.fromEntries([...element.querySelectorAll("dd")].map((fact) => [fact.dataset.fact, fact.textContent])),
  );
}

/** Returns the centre of a token on the screen. */
export async function middle(page, token, { height, width }, plan = 0) {
  const canvas = page.locator("canvas").nth(plan);
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  return {
    x: box.x + ((token % width) + 0.5) * (box.width / width),
    y: box.y + (Math.floor(token / width) + 0.5) * (box.height / height),
  };
}

/** Returns the colour of each token at a fraction of its cell from the corner: outside of its text, or on its frame. */
export async function colours(page, { height, width }, plan = 0, share = 0.2) {
  return page
    .locator("canvas")
    .nth(plan)
    .evaluate(
      (canvas, [height, width, share]) => {
        // Read from a copy, so that the canvas of the page keeps hardware acceleration.
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

/** Returns a computed style property of the page. */
export async function styled(page, property) {
  return page.evaluate((property) => getComputedStyle(document.body)[property], property);
}

/** Returns the AR step of each token, from the drawing of the program. */
export function drawnSteps(flags, { height }) {
  const text = gtr("plan", ...flags, "--seed", "0");
  const lines = text.split("\n");
  const from = lines.findIndex((line) => line.startsWith("AR step of each token")) + 1;
  assert.notEqual(from, 0);
  return lines.slice(from, from + height).flatMap((line) => line.trim().split(/\s+/).map(Number));
}

/** Waits until a condition holds, for example until a picture is loaded. */
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
