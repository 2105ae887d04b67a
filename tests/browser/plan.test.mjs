import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  changed,
  colours,
  drawnSteps,
  eventually,
  facts,
  folder,
  gtr,
  middle,
  opened,
  position,
  root,
  styled,
  visited,
  written,
} from "./support.mjs";

const FLAGS = ["--preset", "gtr-paper", "--grid", "16x16"];
const STAGES = ["0,114,178", "230,159,0", "0,158,115"];
let plan;
let stepOf;
let path;

before(() => {
  plan = JSON.parse(gtr("plan", ...FLAGS, "--format", "json"));
  stepOf = drawnSteps(FLAGS, plan.grid);
  assert.equal(stepOf.length, 256);
  path = written("plan.html", "plan", ...FLAGS);
});

/** Returns the number of known tokens after a number of steps. */
function known(steps) {
  return plan.steps.slice(0, steps).reduce((sum, step) => sum + step.tokens, 0);
}

function stageOf(token) {
  return plan.stages.findIndex((stage) => stage.tokens.includes(token));
}

async function statusIs(page, steps) {
  assert.equal(await position(page), `${steps}/32`);
  const status = await page.locator(".status").textContent();
  assert.match(status, new RegExp(`^AR step ${steps} of 32, .*: ${known(steps)} of 256 tokens known$`));
}

test("the player runs to the end and can be stopped", () =>
  opened(path, {}, async (page) => {
    await statusIs(page, 32);
    await page.keyboard.press("Space");
    await statusIs(page, 0);
    assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 1);
    // A step every 312.5 milliseconds.
    await page.clock.runFor(320);
    await statusIs(page, 1);
    await page.clock.runFor(1000);
    await statusIs(page, 4);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.clock.runFor(5000);
    await statusIs(page, 4);
    await page.getByRole("button", { name: "Play" }).click();
    await page.clock.runFor(20_000);
    await statusIs(page, 32);
    assert.equal(await page.getByRole("button", { name: "Play" }).count(), 1);
  }));

test("with reduced motion the player is slow", () =>
  opened(path, { reducedMotion: "reduce" }, async (page) => {
    await page.keyboard.press("Space");
    await page.clock.runFor(900);
    await statusIs(page, 0);
    await page.clock.runFor(200);
    await statusIs(page, 1);
  }));

test("keys, buttons, the slider and the curves set the step", () =>
  opened(path, {}, async (page) => {
    await page.keyboard.press("Home");
    await statusIs(page, 0);
    await page.keyboard.press("ArrowLeft");
    await statusIs(page, 0);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await statusIs(page, 2);
    await page.keyboard.press("End");
    await statusIs(page, 32);
    await page.getByRole("button", { name: "One step back" }).click();
    await statusIs(page, 31);
    const slider = page.getByRole("slider");
    await slider.fill("7");
    await statusIs(page, 7);
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await statusIs(page, 8);
    const curve = await page.locator(".chart svg").first().boundingBox();
    await page.mouse.click(curve.x + (curve.width * 172) / 320, curve.y + 30);
    await statusIs(page, 16);
  }));

test("the grid shows the known tokens in the colours of their stages", () =>
  opened(path, {}, async (page) => {
    for (const steps of [0, 1, 24, 31, 32]) {
      await page.getByRole("slider").fill(String(steps));
      const found = await colours(page, plan.grid);
      const expected = stepOf.map((step, token) => (step <= steps ? STAGES[stageOf(token)] : "236,238,241"));
      assert.deepEqual(found, expected, `after ${steps} steps`);
      assert.equal(stepOf.filter((step) => step <= steps).length, known(steps));
    }
  }));

/** Returns the expected description of a token. */
function expected(token) {
  const [row, column] = [Math.floor(token / 16), token % 16];
  const beside = stepOf.filter((_, other) => {
    const [down, right] = [Math.floor(other / 16) - row, (other % 16) - column];
    return other !== token && Math.abs(down) <= 1 && Math.abs(right) <= 1;
  });
  const number = stepOf[token];
  const step = plan.steps[number - 1];
  const told = {
    Token: `${token} (row ${row + 1}, column ${column + 1})`,
    Stage: `${step.stage + 1} ${plan.stages[step.stage].role}`,
    "AR step": `${number} of 32`,
    "Diffusion steps": String(step.diffusion_steps),
    "Known neighbours": `${beside.filter((other) => other < number).length} of ${beside.length}`,
  };
  if (step.detail) {
    const { tokens, diffusion_steps: steps } = step.detail;
    told.Detail = `${tokens} of the ${step.tokens} in this step get ${steps}, picked while sampling`;
  }
  return told;
}

/** Returns the displayed description of a token without its loss, whose values are tested elsewhere; only their format is checked. */
async function told(page) {
  const { Loss: loss, ...others } = await facts(page);
  if (others.Token !== undefined) assert.match(loss, /^\d+(\.\d+)? of 0\.\d{3} nats$/);
  return others;
}

test("the pointer on a token shows its description", () =>
  opened(path, {}, async (page) => {
    for (const token of [0, 1, 15, 37, 120, 240, 254, 255]) {
      const at = await middle(page, token, plan.grid);
      await page.mouse.move(at.x, at.y);
      assert.deepEqual(await told(page), expected(token));
    }
    await page.mouse.move(1190, 5);
    assert.deepEqual(await told(page), {});
  }));

test("the description of a token differs from that of its neighbour", () => {
  assert.notDeepEqual(expected(0), expected(1));
  assert.ok(plan.steps.some((step) => step.detail));
});

test("a tap shows a token and keeps it", () =>
  opened(path, { hasTouch: true, viewport: { width: 360, height: 740 } }, async (page) => {
    const at = await middle(page, 37, plan.grid);
    await page.touchscreen.tap(at.x, at.y);
    assert.deepEqual(await told(page), expected(37));
    await page.keyboard.press("Home");
    assert.deepEqual(await told(page), expected(37));
  }));

test("the arrow keys move in the focused grid, and set the step elsewhere", () =>
  opened(path, {}, async (page) => {
    await page.locator("input[name=colour]").first().focus();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "grid");
    assert.notEqual(await page.locator("canvas").evaluate((grid) => getComputedStyle(grid).outlineStyle), "none");
    assert.deepEqual(await told(page), expected(0));
    await page.keyboard.press("ArrowUp");
    assert.deepEqual(await told(page), expected(0));
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    assert.deepEqual(await told(page), expected(17));
    await statusIs(page, 32);
    await page.keyboard.press("Home");
    await statusIs(page, 0);
    await page.keyboard.press("Escape");
    assert.deepEqual(await told(page), {});
  }));

test("the stages and their spread equal those of the program", () =>
  opened(path, {}, async (page) => {
    const rows = await page.locator("tbody tr").allTextContents();
    assert.deepEqual(rows, [
      "1 generation642450..26–1.4141.4140.854",
      "2 generation64625..20–" + "1.4141.4140.854",
      "3 reconstruction12822012 at 501.41410.5",
    ]);
  }));

test("colours can show AR steps, evenly from dark to light", () =>
  opened(path, {}, async (page) => {
    await page.getByRole("radio", { name: "AR step" }).check();
    const found = await colours(page, plan.grid);
    const light = (colour) => colour.split(",").reduce((sum, part) => sum + Number(part), 0);
    const bySteps = Array.from({ length: 32 }, (_, step) => light(found[stepOf.indexOf(step + 1)]));
    assert.ok(bySteps.every((value, at) => at === 0 || value > bySteps[at - 1]));
    assert.equal(await page.locator(".ramp").count(), 1);
  }));

test("the colour scheme follows the system until the button is pressed", async () => {
  const background = { light: "rgb(255, 255, 255)", dark: "rgb(20, 23, 27)" };
  for (const [scheme, other] of [
    ["light", "dark"],
    ["dark", "light"],
  ]) {
    await opened(path, { colorScheme: scheme }, async (page) => {
      assert.equal(await styled(page, "backgroundColor"), background[scheme]);
      await page.emulateMedia({ colorScheme: other });
      await eventually(async () => assert.equal(await styled(page, "backgroundColor"), background[other]));
      await page.emulateMedia({ colorScheme: scheme });
      await eventually(async () => assert.equal(await styled(page, "backgroundColor"), background[scheme]));
      await page.keyboard.press("Home");
      await page.getByRole("button", { name: "Switch between light and dark" }).click();
      assert.equal(await styled(page, "backgroundColor"), background[other]);
      const unknown = { light: "236,238,241", dark: "36,42,49" }[other];
      assert.deepEqual(new Set(await colours(page, plan.grid)), new Set([unknown]));
    });
  }
});

test("no element is wider than a phone", async () => {
  const both = written("phone.html", "plan", "--compare", "gtr-paper,mar-64", "--grid", "16x16");
  for (const page of [path, both]) {
    await opened(page, { viewport: { width: 360, height: 740 } }, async (page) => {
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      const canvas = await page.locator("canvas").last().boundingBox();
      assert.ok(canvas.x >= 0 && canvas.x + canvas.width <= 360);
    });
  }
  // Check that a wider element would be detected.
  await visited(path, { viewport: { width: 360, height: 740 } }, async (page) => {
    await page.locator("h1").evaluate((title) => (title.style.minWidth = "400px"));
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) > 360);
  });
});

test("known tokens of inpainting are shown as known", async () => {
  const picture = (name) => join(root, "docs/images", name);
  gtr(
    "sample",
    "--class",
    "8",
    "--preset",
    "gtr-8",
    "--diffusion",
    "constant",
    "--t",
    "2",
    "--detail",
    "none",
    "--init",
    picture("three.png"),
    "--mask",
    picture("lower-half.png"),
    "--out",
    "on.png",
  );
  gtr("inspect", "on.png", "--plan-out", "on.json");
  const rest = JSON.parse(readFileSync(join(folder, "on.json"), "utf8"));
  assert.ok(rest.known.length > 0 && rest.known.length < 64);
  await opened(written("on.html", "plan", "--plan", "on.json"), {}, async (page) => {
    const at = await middle(page, rest.known[0], rest.grid);
    await page.mouse.move(at.x, at.y);
    assert.equal((await facts(page)).Stage, "known before the first step");
    await page.mouse.move(1190, 5);
    await page.keyboard.press("Home");
    const status = await page.locator(".status").textContent();
    assert.equal(
      status,
      `AR step 0 of ${rest.steps.length}, before the first step: ${rest.known.length} of 64 tokens known`,
    );
    const found = await colours(page, rest.grid);
    found.forEach((colour, token) =>
      assert.equal(colour === "236,238,241", !rest.known.includes(token), `token ${token}`),
    );
    assert.equal(await page.getByText("known before the first step", { exact: true }).count(), 1);
  });
});

test("a large grid is drawn completely", () =>
  opened(written("large.html", "plan", "--preset", "gtr-paper", "--grid", "64x64"), {}, async (page) => {
    const shown = async () => new Set(await colours(page, { height: 64, width: 64 }));
    assert.deepEqual(await shown(), new Set(STAGES));
    await page.keyboard.press("Home");
    assert.deepEqual(await shown(), new Set(["236,238,241"]));
  }));

test("untrusted names stay text", async () => {
  const hostile = "</script><script>globalThis.owned = 1</script><img src=x onerror='owned = 1'>";
  const other = structuredClone(plan);
  other.schedule.order.kind = hostile;
  const name = "<img src=x onerror='owned = 1'>.json";
  writeFileSync(join(folder, name), JSON.stringify(other));
  await opened(written("hostile.html", "plan", "--plan", name), {}, async (page) => {
    assert.equal(await page.evaluate(() => typeof globalThis.owned), "undefined");
    assert.equal(await page.locator("h1").textContent(), `${name} on 16x16`);
    assert.ok((await page.locator(".choices").textContent()).includes(hostile));
    assert.equal(await page.locator("img").count(), 0);
  });
});

test("a page that makes a request or runs a foreign script is detected", async () => {
  const picture = changed(path, (text) => text.replace("</main>", "</main><img src='https://example.invalid/x.png'>"));
  const blocked = await visited(picture, {}, (page) => page.keyboard.press("Home"));
  assert.ok(
    blocked.some((trouble) => trouble.includes("Content Security Policy")),
    blocked.join(),
  );
  const free = changed(picture, (text) => text.replace(/content="default-src[^"]*"/, 'content=""'));
  const asked = await visited(free, {}, (page) => page.keyboard.press("Home"));
  assert.ok(asked.includes("request: https://example.invalid/x.png"), asked.join());
  const script = changed(path, (text) => text.replace("</main>", "</main><script>globalThis.owned = 1</script>"));
  const refused = await visited(script, {}, async (page) => {
    assert.equal(await page.evaluate(() => typeof globalThis.owned), "undefined");
  });
  assert.ok(refused.length > 0);
  const broken = changed(path, (text) => text.replace('"order":[', '"disorder":['));
  assert.ok((await visited(broken, {}, () => {})).some((trouble) => trouble.startsWith("error:")));
});
