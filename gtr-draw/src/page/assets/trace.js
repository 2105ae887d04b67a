"use strict";

/** An image of a run, with its scores and picks. */
class Made {
  constructor(image) {
    Object.assign(this, image);
    this.walk = new Walk(data.plan, image.order);
    this.steps = data.batches[image.batch].steps;
    this.chosen = new Set(image.picked);
    /** Score of each token of the grid. */
    this.scoreOf = null;
    if (image.scores) {
      this.scoreOf = new Array(this.walk.tokens);
      image.order.forEach((token, index) => (this.scoreOf[token] = image.scores[index]));
      this.least = image.scores.reduce((a, b) => Math.min(a, b));
      this.most = image.scores.reduce((a, b) => Math.max(a, b));
    }
  }

  get title() {
    return `image ${this.image}${this.class === undefined ? "" : `, class ${this.class}`}`;
  }

  /** Returns the tokens of an AR step, from 1, by descending score. */
  ranking(number) {
    const { known } = this.walk;
    const tokens = this.order.slice(known[number - 1] - known[0], known[number] - known[0]);
    return tokens.sort((a, b) => this.scoreOf[b] - this.scoreOf[a] || a - b);
  }

  /** Returns the score of a token, scaled from 0 (lowest) to 1 (highest). */
  share(token) {
    return this.most > this.least ? (this.scoreOf[token] - this.least) / (this.most - this.least) : 0.5;
  }

  /** Seconds of each AR step; null if they were not recorded. */
  get seconds() {
    return this.steps.map((step) => step.seconds);
  }
}

/** State of the page. */
const shown = {
  image: new Made(data.images[0]),
  colouring: "scores",
  at: data.plan.steps.length,
};

const facts = new Facts("Point at a token, tap it, or select it with the arrow keys.");
const statusLine = html("p", { class: "status" });
const legend = html("div", { class: "legend" });
const curves = html("div", { class: "charts" });
const lists = html("div", { class: "panel" });
const grid = new Grid(data.plan.grid, "Image", paint, look);
let charts = [];

/** Returns the appearance of a token at the current step. */
function paint(token) {
  const { image, colouring, at } = shown;
  const number = image.walk.stepOf[token];
  if (number > at) {
    return { fill: null };
  }
  const fresh = number === at && at < image.walk.steps.length;
  const ring = image.chosen.has(token);
  const seen = { picture: 1, over: 0.35 }[colouring] ?? 0;
  if (colouring === "step") {
    return { fill: ramp((number - 1) / Math.max(image.walk.steps.length - 1, 1)), text: String(number), fresh, ring };
  }
  if (colouring === "picture" || image.scoreOf === null) {
    return { fill: "#000000", fresh, ring, seen: 1 };
  }
  return { fill: ramp(image.share(token)), fresh, ring, seen, small: image.walk.step(token).detail === undefined };
}

function look(token) {
  grid.dots = token === null ? [] : shown.image.walk.knownNeighbours(token);
  facts.show(token === null ? [] : told(token));
  grid.draw();
}

/** Returns the properties of a token. */
function told(token) {
  const { image } = shown;
  const pairs = image.walk.facts(token);
  const number = image.walk.stepOf[token];
  const { diffusion_steps: plain, detail } = image.walk.step(token);
  const evaluations = data.evaluations[number - 1];
  const steps = image.chosen.has(token)
    ? diffusionSteps(detail.diffusion_steps, evaluations.detail)
    : diffusionSteps(plain, evaluations.plain);
  pairs.splice(3, 0, ["Diffusion steps", steps]);
  if (image.scoreOf !== null) {
    const ranking = image.ranking(number);
    const rank = detail === undefined ? "no picks in this step" : `${ranking.indexOf(token) + 1} of ${ranking.length}`;
    pairs.push(["Score", short(image.scoreOf[token])], ["Rank in its step", rank]);
  }
  if (detail !== undefined) {
    pairs.push(["Picked for detail", image.chosen.has(token) ? "yes" : "no"]);
  }
  return pairs;
}

function drawCurves() {
  const { image } = shown;
  const { steps } = image.walk;
  const scrub = (step) => player.scrub(step);
  const plain = steps.map((step) => step.diffusion_steps);
  const detail = steps.map((step) => step.detail?.diffusion_steps ?? null);
  const guidance = image.steps.map((step) => step.guidance);
  const tokens = steps.map((step) => step.tokens);
  charts = [
    new Chart("Tokens", [{ values: tokens, kind: "bars" }], { most: largest(tokens), scrub }),
    new Chart(
      "Diffusion steps",
      [
        { values: plain, kind: "plain" },
        { name: "detail", values: detail, kind: "dashed" },
      ],
      { most: largest([...plain, ...detail]), scrub },
    ),
    new Chart("Guidance", [{ values: guidance, kind: "plain" }], { most: largest(guidance), digits: 3, scrub }),
  ];
  if (image.seconds.every((seconds) => seconds !== null)) {
    const most = largest(image.seconds);
    charts.unshift(
      new Chart("Time of the batch", [{ values: image.seconds, kind: "bars" }], { most, digits: 3, unit: " s", scrub }),
    );
  }
  curves.replaceChildren(...charts.map((chart) => chart.element));
}

/** Lists the tokens picked in each step with picks, and the costs of the stages. */
function drawLists() {
  const { image } = shown;
  const { steps } = image.walk;
  const picks = steps.flatMap((step, index) => {
    if (step.detail === undefined) {
      return [];
    }
    const number = index + 1;
    const tokens = image.picked.filter((token) => image.walk.stepOf[token] === number);
    if (image.scoreOf !== null) {
      tokens.sort((a, b) => image.scoreOf[b] - image.scoreOf[a] || a - b);
    }
    return [[`AR step ${number}`, `${tokens.length} of ${step.tokens}: ${tokens.join(", ")}`]];
  });
  const timed = image.seconds.every((seconds) => seconds !== null);
  const total = image.seconds.reduce((sum, seconds) => sum + (seconds ?? 0), 0);
  const line = (stage, index) => {
    const own = steps.map((step, at) => (step.stage === index ? at : -1)).filter((at) => at >= 0);
    const seconds = own.reduce((sum, at) => sum + (image.seconds[at] ?? 0), 0);
    return [
      `${index + 1} ${stage.role}`,
      String(stage.tokens),
      String(stage.ar_steps),
      String(own.reduce((sum, at) => sum + data.evaluations[at].head, 0)),
      ...(timed ? [short(seconds), `${short((100 * seconds) / (total || 1), 1)} %`] : []),
    ];
  };
  const columns = ["Stage", "Tokens", "AR steps", "Head evaluations", ...(timed ? ["Seconds", "Share"] : [])];
  lists.replaceChildren(
    html("h2", {}, `Picked by ${data.plan.schedule.detail.kind}`),
    picks.length === 0 ? html("p", {}, "The plan picks no tokens for detail.") : pairs(picks),
    table("Cost of the stages", columns, data.summary.stages.map(line)),
  );
}

function explain() {
  const { image, colouring } = shown;
  const chosen = image.chosen.size > 0 ? [patch(null, "picked for detail", "chosen")] : [];
  const scored = (colouring === "scores" || colouring === "over") && image.scoreOf !== null;
  const unranked = scored && image.walk.steps.some((step) => step.detail === undefined);
  const colours = {
    scores: () => [rampPatch(`score ${short(image.least, 1)}`, short(image.most, 1))],
    step: () => [rampPatch("AR step 1", String(image.walk.steps.length))],
  }[scored ? "scores" : colouring];
  legend.replaceChildren(
    ...(colours?.() ?? []),
    ...chosen,
    ...(unranked ? [html("span", { class: "patch" }, "small: no picks in the step")] : []),
    patch(null, "not known yet", "unknown"),
  );
}

function show(at) {
  shown.at = at;
  const { known, steps, tokens } = shown.image.walk;
  const stage = at === 0 ? "before the first step" : stageName(steps[at - 1].stage);
  statusLine.textContent = `AR step ${at} of ${steps.length}, ${stage}: ${known[at]} of ${count(tokens, "token")} known`;
  charts.forEach((chart) => chart.show(at));
  grid.draw();
}

function stageName(stage) {
  return `stage ${stage + 1} ${data.plan.stages[stage].role}`;
}

function choose(index) {
  shown.image = new Made(data.images[index]);
  grid.picture = null;
  if (shown.image.picture !== undefined) {
    const picture = html("img", { src: shown.image.picture, alt: "" });
    picture.addEventListener("load", () => {
      grid.picture = picture;
      grid.draw();
    });
  }
  drawCurves();
  drawLists();
  explain();
  look(grid.token);
  show(shown.at);
}

const pictured = data.images.some((image) => image.picture !== undefined);
const scored = data.images.some((image) => image.scores);
const colourings = [
  ...(pictured ? [["picture", "picture"]] : []),
  ...(pictured && scored ? [["over", "scores over it"]] : []),
  ...(scored ? [["scores", "scores"]] : []),
  ["step", "AR step"],
];
shown.colouring = colourings[Math.min(1, colourings.length - 1)][0];

const select = html("select", { id: "image", "aria-label": "Image" });
data.images.forEach((image, index) => select.append(html("option", { value: index }, new Made(image).title)));
select.addEventListener("change", () => choose(Number(select.value)));
const toolbar = html(
  "div",
  { class: "toolbar" },
  ...(data.images.length > 1 ? [select] : [html("span", {}, shown.image.title)]),
  choice("Show", colourings, shown.colouring, (value) => {
    shown.colouring = value;
    explain();
    grid.draw();
  }),
);

document.body.style.setProperty("--plans", 1);
document.body.classList.add("one");
const left =
  data.left_out > 0 ? [html("p", { class: "note" }, `The trace has ${count(data.left_out, "more image")}.`)] : [];
document
  .getElementById("main")
  .append(
    toolbar,
    row("grids", html("div", { class: "panel" }, statusLine, html("div", { class: "room" }, grid.canvas), legend)),
    row("tokens", html("div", { class: "panel" }, facts.list)),
    row("curves", html("div", { class: "panel" }, curves)),
    row("stages", lists),
    row("choices", html("div", { class: "panel" }, pairs(data.run), ...left)),
  );

const player = new Player(document.getElementById("player"), data.plan.steps.length, {
  describe: (at) => `${at}/${data.plan.steps.length}`,
  show,
});

theme.listeners.push(() => grid.draw());
theme.start();
choose(0);
player.go(data.plan.steps.length);
