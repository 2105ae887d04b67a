import assert from "node:assert/strict";
import { before, test } from "node:test";
import { colours, eventually, facts, gtr, middle, opened, position, written } from "./support.mjs";

let run;
let path;

before(() => {
  const quick = ["--preset", "gtr-8", "--t-max", "6", "--t-min", "4", "--t-rec", "3", "--t-detail", "7"];
  gtr(
    "sample",
    "--class",
    "3,7",
    "--count",
    "2",
    "--batch",
    "3",
    ...quick,
    "--trace",
    "run.safetensors",
    "--out",
    "run.png",
  );
  run = JSON.parse(gtr("inspect", "run.safetensors", "--format", "json"));
  path = written("run.html", "inspect", "run.safetensors");
  assert.equal(run.images.length, 4);
});

/** Returns the AR step of each token, from 1. */
function stepsOf(image) {
  const steps = [];
  let next = 0;
  run.plan.steps.forEach((step, index) => {
    image.order.slice(next, next + step.tokens).forEach((token) => (steps[token] = index + 1));
    next += step.tokens;
  });
  return steps;
}

test("the picked tokens are listed by score and marked with a ring", () =>
  opened(path, {}, async (page) => {
    const image = run.images[0];
    const [steps, scores] = [stepsOf(image), new Map(image.order.map((token, at) => [token, image.scores[at]]))];
    const number = run.plan.steps.findIndex((step) => step.detail) + 1;
    const picked = image.picked
      .filter((token) => steps[token] === number)
      .sort((a, b) => scores.get(b) - scores.get(a));
    assert.ok(picked.length > 0);
    const line = page.locator(".stages dl div").first();
    assert.equal(await line.locator("dt").textContent(), `AR step ${number}`);
    const of = run.plan.steps[number - 1].tokens;
    assert.equal(await line.locator("dd").textContent(), `${picked.length} of ${of}: ${picked.join(", ")}`);
    // A ring is visible at the corner of a cell.
    const frames = await colours(page, run.plan.grid, 0, 0.05);
    const ringed = frames.flatMap((colour, token) => (colour === "208,0,112" ? [token] : []));
    assert.deepEqual(ringed, image.picked);
  }));

test("a token shows its score, its rank and its diffusion steps", () =>
  opened(path, {}, async (page) => {
    const image = run.images[0];
    const steps = stepsOf(image);
    const plain = image.order.find((token) => run.plan.steps[steps[token] - 1].detail && !image.picked.includes(token));
    const early = image.order[0];
    for (const [token, diffusion, picked] of [
      [image.picked[0], "7", "yes"],
      [plain, "3", "no"],
      [early, "6", undefined],
    ]) {
      const at = await middle(page, token, run.plan.grid);
      await page.mouse.move(at.x, at.y);
      const told = await facts(page);
      assert.equal(told.Token.split(" ")[0], String(token));
      assert.equal(told["AR step"], `${steps[token]} of 8`);
      assert.equal(told["Diffusion steps"], diffusion);
      assert.equal(told["Picked for detail"], picked);
      const score = image.scores[image.order.indexOf(token)];
      assert.ok(Math.abs(Number(told.Score) - score) < 1e-3);
      const higher = image.order.filter((other, at) => steps[other] === steps[token] && image.scores[at] > score);
      const rank = `${higher.length + 1} of ${run.plan.steps[steps[token] - 1].tokens}`;
      assert.equal(told["Rank in its step"], picked === undefined ? "no picks in this step" : rank);
    }
  }));

test("scores are shown as a heat map, the highest is the lightest", () =>
  opened(path, {}, async (page) => {
    await page.getByRole("radio", { name: "scores", exact: true }).check();
    const image = run.images[0];
    const light = (colour) => colour.split(",").reduce((sum, part) => sum + Number(part), 0);
    const found = await colours(page, run.plan.grid);
    const steps = stepsOf(image);
    // Tokens of steps with picks, whose cells are filled to the corner; sample outside of the ring.
    const ranked = image.order.filter((token) => run.plan.steps[steps[token] - 1].detail);
    ranked.sort((a, b) => image.scores[image.order.indexOf(a)] - image.scores[image.order.indexOf(b)]);
    const values = ranked.map((token) => light(found[token]));
    assert.ok(
      values.every((value, at) => at === 0 || value >= values[at - 1]),
      values.join(),
    );
    assert.ok(values.at(-1) > values[0]);
  }));

test("the picture is shown only for known tokens", () =>
  opened(path, {}, async (page) => {
    await page.getByRole("radio", { name: "picture", exact: true }).check();
    await page.keyboard.press("Home");
    assert.deepEqual(new Set(await colours(page, run.plan.grid)), new Set(["236,238,241"]));
    await page.keyboard.press("End");
    assert.equal(await position(page), "8/8");
    await eventually(async () => {
      const shown = (await colours(page, run.plan.grid)).map((colour) => colour.split(",").map(Number));
      // A digit is grey, mostly dark, with some light pixels.
      assert.ok(shown.every(([red, green, blue]) => red === green && green === blue));
      assert.ok(shown.filter(([red]) => red < 40).length > 20);
      assert.ok(shown.some(([red]) => red > 100));
    });
  }));

test("another image can be chosen", () =>
  opened(path, {}, async (page) => {
    const options = await page.locator("#image option").allTextContents();
    assert.deepEqual(options, ["image 0, class 3", "image 1, class 3", "image 2, class 7", "image 3, class 7"]);
    const list = page.locator(".stages dl").first();
    const before = await list.textContent();
    await page.locator("#image").selectOption("3");
    assert.notEqual(await list.textContent(), before);
    await page.keyboard.press("Escape");
    assert.equal(await position(page), "8/8");
  }));

test("the time of each step is shown", () =>
  opened(path, {}, async (page) => {
    const seconds = run.batches[0].steps.map((step) => step.seconds);
    assert.ok(seconds.every((value) => value > 0));
    await page.getByRole("slider").fill("2");
    const shown = await page.locator(".chart").first().locator("output").textContent();
    assert.equal(shown, `${Number(seconds[1].toFixed(3))} s`);
    const shares = await page.locator("tbody tr td:last-child").allTextContents();
    assert.equal(Math.round(shares.reduce((sum, share) => sum + parseFloat(share), 0)), 100);
  }));

test("the page of a run fits a phone, also in dark mode", () =>
  opened(path, { viewport: { width: 360, height: 740 }, colorScheme: "dark" }, async (page) => {
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.keyboard.press("Home");
    assert.deepEqual(new Set(await colours(page, run.plan.grid)), new Set(["36,42,49"]));
    await page.getByRole("button", { name: "Switch between light and dark" }).click();
    assert.deepEqual(new Set(await colours(page, run.plan.grid)), new Set(["236,238,241"]));
  }));
