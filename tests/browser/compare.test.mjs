import assert from "node:assert/strict";
import { before, test } from "node:test";
import { facts, gtr, middle, opened, position, written } from "./support.mjs";

const NAMES = ["gtr-paper", "mar-64"];
let plans;
let path;

before(() => {
  plans = NAMES.map((name) => JSON.parse(gtr("plan", "--preset", name, "--grid", "16x16", "--format", "json")));
  path = written("both.html", "plan", "--compare", NAMES.join(), "--grid", "16x16");
});

async function known(page) {
  const texts = await page.locator(".status").allTextContents();
  return texts.map((text) => Number(/(\d+) of 256 tokens known$/.exec(text)[1]));
}

/** Returns the number of known tokens of a plan after a number of steps. */
function after(plan, steps) {
  return plan.steps.slice(0, steps).reduce((sum, step) => sum + step.tokens, 0);
}

async function at(page, ...steps) {
  assert.equal(await position(page), steps.map((step, index) => `${step}/${plans[index].steps.length}`).join(" · "));
  assert.deepEqual(
    await known(page),
    plans.map((plan, index) => after(plan, steps[index])),
  );
}

test("two plans advance at the same fraction of their steps", () =>
  opened(path, {}, async (page) => {
    assert.deepEqual(await page.locator("h2").allTextContents(), NAMES);
    assert.equal(await page.locator("canvas").count(), 2);
    await at(page, 32, 64);
    await page.keyboard.press("Home");
    await at(page, 0, 0);
    await page.getByRole("slider").fill("32");
    await at(page, 16, 32);
    await page.keyboard.press("Space");
    await page.clock.runFor(1000);
    await at(page, 19, 38);
  }));

test("two plans advance at the same AR step, or by the same evaluations", () =>
  opened(path, {}, async (page) => {
    await page.getByRole("group", { name: "Align by" }).getByRole("radio", { name: "AR step" }).check();
    await page.getByRole("slider").fill("20");
    await at(page, 20, 20);
    await page.getByRole("slider").fill("40");
    await at(page, 32, 40);
    await page.getByRole("radio", { name: "network evaluations" }).check();
    await page.getByRole("slider").focus();
    await page.keyboard.press("Home");
    // The evaluations of both plans after each of their steps, in one sorted sequence.
    const spent = plans.map((plan) => {
      let sum = 0;
      return plan.steps.map((step) => (sum += 1 + Math.max(step.diffusion_steps, step.detail?.diffusion_steps ?? 0)));
    });
    const marks = [...new Set(spent.flat())].sort((a, b) => a - b);
    assert.ok(spent[0][0] < spent[1][0]);
    for (const mark of marks.slice(0, 5)) {
      await page.keyboard.press("ArrowRight");
      await at(page, ...spent.map((sums) => sums.filter((sum) => sum <= mark).length));
    }
    await page.keyboard.press("End");
    await at(page, 32, 64);
  }));

test("a token is selected in both plans", () =>
  opened(path, {}, async (page) => {
    const point = await middle(page, 33, plans[1].grid, 1);
    await page.mouse.move(point.x, point.y);
    const [left, right] = [await facts(page, 0), await facts(page, 1)];
    assert.equal(left.Token, "33 (row 3, column 2)");
    assert.equal(right.Token, left.Token);
    assert.match(left["AR step"], / of 32$/);
    assert.match(right["AR step"], / of 64$/);
    assert.equal(right["Diffusion steps"], "100");
  }));

test("the curves of both plans have the same scale", () =>
  opened(path, {}, async (page) => {
    const tops = await page
      .locator(".chart")
      .evaluateAll((charts) =>
        charts.map((chart) => [
          chart.querySelector("figcaption span").textContent,
          chart.querySelector("text").textContent,
        ]),
      );
    assert.equal(tops.length, 10);
    assert.deepEqual(tops.slice(0, 5), tops.slice(5));
    assert.deepEqual(tops[1], ["Diffusion steps", "100"]);
  }));
