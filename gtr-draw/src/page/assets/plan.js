"use strict";

/** A plan of the page: its grid, the properties of the selected token, its curves and its stages. */
class PlanView {
  constructor(side, index) {
    Object.assign(this, side);
    this.walk = new Walk(side.plan, side.order);
    this.at = this.walk.steps.length;
    this.status = html("p", { class: "status" });
    this.legend = html("div", { class: "legend" });
    this.facts = new Facts("Point at a token, tap it, or select it with the arrow keys.");
    this.grid = new Grid(
      side.plan.grid,
      `Plan ${this.name}`,
      (token) => this.paint(token),
      (token) => views.forEach((view) => view.look(token, index)),
    );
    this.charts = this.curves();
  }

  curves() {
    const { steps } = this.walk;
    const scrub = (step) => showStep(this, step);
    const shared = (pick) => largest(data.plans.flatMap(pick));
    const plain = (side) => side.plan.steps.map((step) => step.diffusion_steps);
    const detail = (side) => side.plan.steps.map((step) => step.detail?.diffusion_steps ?? null);
    const tokens = (side) => side.plan.steps.map((step) => step.tokens);
    const charts = [
      new Chart("Tokens", [{ values: tokens(this), kind: "bars" }], { most: shared(tokens), scrub }),
      new Chart(
        "Diffusion steps",
        [
          { values: plain(this), kind: "plain" },
          { name: "detail", values: detail(this), kind: "dashed" },
        ],
        { most: shared((side) => [...plain(side), ...detail(side)]), scrub },
      ),
      new Chart("Guidance, % of full", [{ values: this.guidance.map((share) => 100 * share), kind: "plain" }], {
        most: 100,
        digits: 1,
        scrub,
      }),
      new Chart("Largest gap, in cells", [{ values: this.gaps, kind: "plain" }], {
        most: shared((side) => side.gaps),
        scrub,
      }),
    ];
    if (this.loss !== undefined) {
      const lost = new Chart("Loss, in nats", [{ values: this.loss.steps, kind: "bars" }], {
        most: shared((side) => side.loss?.steps ?? []),
        digits: 3,
        scrub,
      });
      charts.push(lost);
    }
    return steps.length === 0 ? [] : charts;
  }

  /** Returns the appearance of a token at the current step. */
  paint(token) {
    const number = this.walk.stepOf[token];
    if (number === 0) {
      return { fill: null, known: true };
    }
    if (number > this.at) {
      return { fill: null };
    }
    return {
      fill: this.colour(this.walk.step(token), number, token),
      text: String(number),
      fresh: number === this.at && this.at < this.walk.steps.length,
    };
  }

  colour(step, number, token) {
    return {
      stage: () => stageColour(step.stage),
      step: () => ramp((number - 1) / Math.max(this.walk.steps.length - 1, 1)),
      diffusion: () => ramp(step.diffusion_steps / mostDiffusionSteps),
      loss: () => ramp((this.loss?.tokens[token] ?? 0) / Math.max(mostLoss, Number.MIN_VALUE)),
    }[colouring]();
  }

  /** Shows the plan after `at` AR steps. */
  show(at) {
    this.at = at;
    const { known, steps, tokens } = this.walk;
    const stage = at === 0 ? "before the first step" : this.stageName(steps[at - 1].stage);
    this.status.textContent = `AR step ${at} of ${steps.length}, ${stage}: ${known[at]} of ${count(tokens, "token")} known`;
    this.charts.forEach((chart) => chart.show(at));
    this.grid.draw();
  }

  stageName(stage) {
    return `stage ${stage + 1} ${this.plan.stages[stage].role}`;
  }

  /** Shows the properties of a token. */
  look(token) {
    this.token = token;
    this.grid.dots = token === null || this.walk.stepOf[token] === 0 ? [] : this.walk.knownNeighbours(token);
    this.facts.show(token === null ? [] : this.told(token));
    this.grid.draw();
  }

  told(token) {
    const facts = this.walk.facts(token);
    const number = this.walk.stepOf[token];
    if (number === 0) {
      return facts;
    }
    const { diffusion_steps: nominal, detail, tokens } = this.walk.step(token);
    const evaluated = this.evaluations[number - 1];
    facts.splice(3, 0, ["Diffusion steps", diffusionSteps(nominal, evaluated.plain)]);
    if (detail !== undefined) {
      const more = diffusionSteps(detail.diffusion_steps, evaluated.detail);
      facts.splice(4, 0, [
        "Detail",
        `${detail.tokens} of the ${tokens} in this step get ${more}, picked while sampling`,
      ]);
    }
    if (this.complete !== undefined) {
      facts.push(["Reuse", this.complete[number - 1] ? "none, a complete step" : "of earlier steps"]);
    }
    if (this.guidance[number - 1] === 0) {
      facts.push(["Guidance", "none in this step"]);
    }
    if (this.loss !== undefined) {
      facts.push(["Loss", `${short(this.loss.tokens[token], 4)} of ${short(this.loss.total, 3)} nats`]);
    }
    return facts;
  }

  /** Updates the legend. */
  explain() {
    const known = this.walk.known[0] > 0 ? [patch(null, "known before the first step", "known")] : [];
    const stage = (_, index) => patch(stageColour(index), this.stageName(index));
    const colours = {
      stage: () => this.plan.stages.map(stage),
      step: () => [rampPatch("AR step 1", String(this.walk.steps.length))],
      diffusion: () => [rampPatch("Diffusion steps 0", String(mostDiffusionSteps))],
      loss: () => [rampPatch("Loss 0", `${short(mostLoss, 4)} nats`)],
    }[colouring]();
    this.legend.replaceChildren(...colours, ...known, patch(null, "not known yet", "unknown"));
  }

  head() {
    const { tokens, known, ar_steps: steps, head_evaluations: head } = this.summary;
    const parts = [
      count(tokens, "token"),
      count(steps, "AR step"),
      count(head, "head evaluation"),
      count(head + steps, "network evaluation"),
    ];
    if (known > 0) {
      parts.splice(1, 0, `${known} of them known before the first step`);
    }
    if (this.loss !== undefined) {
      parts.push(`loss ${short(this.loss.total, 3)} nats on the field ${this.loss.field}`);
    }
    const name = data.plans.length > 1 ? [html("h2", {}, this.name)] : [];
    return html(
      "div",
      { class: "panel" },
      ...name,
      html("p", { class: "totals" }, parts.join(", ")),
      this.status,
      html("div", { class: "room" }, this.grid.canvas),
      this.legend,
    );
  }

  titled(...content) {
    const name = data.plans.length > 1 ? [html("h3", {}, this.name)] : [];
    return html("div", { class: "panel" }, ...name, ...content);
  }

  stages() {
    const columns = [
      "Stage",
      "Tokens",
      "AR steps",
      "Diffusion steps",
      "Detail",
      "Closest pair",
      "Largest gap",
      "Mean gap",
    ];
    const line = (stage, index) => [
      `${index + 1} ${stage.role}`,
      String(stage.tokens),
      String(stage.ar_steps),
      stage.first_diffusion_steps === stage.last_diffusion_steps
        ? String(stage.first_diffusion_steps)
        : `${stage.first_diffusion_steps}..${stage.last_diffusion_steps}`,
      stage.detail ? `${stage.detail.tokens} at ${stage.detail.diffusion_steps}` : "–",
      short(stage.spread.closest_pair),
      short(stage.spread.covering_radius),
      short(stage.spread.mean_gap),
    ];
    return table("Stages and the spread of their tokens", columns, this.summary.stages.map(line));
  }
}

const mostDiffusionSteps = largest(
  data.plans.flatMap((side) => side.plan.steps.flatMap((step) => [step.diffusion_steps, step.detail?.diffusion_steps])),
);
const mostLoss = largest(data.plans.flatMap((side) => side.loss?.tokens ?? []));
let colouring = "stage";
let pace = "progress";
const views = [];
views.push(...data.plans.map((side, index) => new PlanView(side, index)));

/** For each position, the number of AR steps that each plan has taken. */
const timelines = {
  progress() {
    const most = largest(views.map((view) => view.walk.steps.length));
    return range(most).map((at) => views.map((view) => Math.round((at / Math.max(most, 1)) * view.walk.steps.length)));
  },
  step() {
    const most = largest(views.map((view) => view.walk.steps.length));
    return range(most).map((at) => views.map((view) => Math.min(at, view.walk.steps.length)));
  },
  evaluations() {
    const spent = views.map((view) => {
      let sum = 0;
      return view.evaluations.map((step) => (sum += 1 + step.head));
    });
    const marks = [0, ...new Set(spent.flat())].sort((a, b) => a - b);
    const taken = views.map(() => 0);
    return marks.map((mark) => {
      spent.forEach((sums, index) => {
        while (sums[taken[index]] <= mark) {
          taken[index] += 1;
        }
      });
      return [...taken];
    });
  },
};

/** Returns the integers from 0 to `last`. */
function range(last) {
  return Array.from({ length: last + 1 }, (_, at) => at);
}

let timeline = timelines[pace]();

/** Goes to the first position at which a plan has taken `step` AR steps. */
function showStep(view, step) {
  const which = views.indexOf(view);
  player.scrub(timeline.findIndex((steps) => steps[which] >= step));
}

function recolour(value) {
  colouring = value;
  views.forEach((view) => {
    view.explain();
    view.grid.draw();
  });
}

const toolbar = html(
  "div",
  { class: "toolbar" },
  choice(
    "Colour",
    [
      ["stage", "stage"],
      ["step", "AR step"],
      ["diffusion", "diffusion steps"],
      ...(data.plans.some((side) => side.loss !== undefined) ? [["loss", "loss"]] : []),
    ],
    colouring,
    recolour,
  ),
);
if (views.length > 1) {
  const paces = [
    ["progress", "share of the steps"],
    ["step", "AR step"],
    ["evaluations", "network evaluations"],
  ];
  toolbar.append(
    choice("Align by", paces, pace, (value) => {
      pace = value;
      timeline = timelines[pace]();
      player.stretch(timeline.length - 1);
    }),
  );
}

document.body.style.setProperty("--plans", views.length);
document.body.classList.add(views.length > 1 ? "many" : "one");
document
  .getElementById("main")
  .append(
    toolbar,
    row("grids", ...views.map((view) => view.head())),
    row("tokens", ...views.map((view) => view.titled(view.facts.list))),
    row(
      "curves",
      ...views.map((view) =>
        view.titled(html("div", { class: "charts" }, ...view.charts.map((chart) => chart.element))),
      ),
    ),
    row("stages", ...views.map((view) => view.titled(view.stages()))),
    row("choices", ...views.map((view) => view.titled(pairs(view.axes)))),
    html("p", { class: "note" }, `The order is that of image ${data.image} under seed ${data.seed}.`),
  );

const player = new Player(document.getElementById("player"), timeline.length - 1, {
  describe: (at) => views.map((view, index) => `${timeline[at][index]}/${view.walk.steps.length}`).join(" · "),
  show: (at) => views.forEach((view, index) => view.show(timeline[at][index])),
});

theme.listeners.push(() => views.forEach((view) => view.grid.draw()));
theme.start();
views.forEach((view) => view.explain());
player.go(timeline.length - 1);
