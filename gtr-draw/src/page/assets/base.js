"use strict";

/** Data of the page. */
const data = JSON.parse(document.getElementById("data").textContent);

/** Creates an HTML element. Text is always added as a text node, never as markup. */
function html(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** Creates an SVG element. */
function svg(name, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Formats a count with its noun. */
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Formats a number with few digits, or a dash for a missing number. */
function short(number, digits = 3) {
  return number === null || number === undefined ? "–" : String(Number(number.toFixed(digits)));
}

/** Light or dark theme: the preference of the system, until the button is pressed. */
const theme = {
  system: matchMedia("(prefers-color-scheme: dark)"),
  chosen: null,
  listeners: [],

  get dark() {
    return this.chosen ?? this.system.matches;
  },

  /** Returns the current value of a colour of the style sheet. */
  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },

  apply() {
    document.documentElement.dataset.theme = this.dark ? "dark" : "light";
    document.getElementById("theme").textContent = this.dark ? "Light" : "Dark";
    this.listeners.forEach((listener) => listener());
  },

  start() {
    const button = document.getElementById("theme");
    button.setAttribute("aria-label", "Switch between light and dark");
    button.addEventListener("click", () => {
      this.chosen = !this.dark;
      this.apply();
    });
    this.system.addEventListener("change", () => this.apply());
    this.apply();
  },
};

/** True if the user prefers reduced motion. */
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Colours of stages: the colour-blind safe palette of Okabe and Ito, without black. */
const STAGES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];

function stageColour(stage) {
  return STAGES[stage % STAGES.length];
}

/** Returns a colour for a share from 0 to 1: from dark blue to light yellow, linear in lightness. */
function ramp(share) {
  const at = Math.min(Math.max(share, 0), 1);
  const mix = (from, to) => from + (to - from) * at;
  return oklab(mix(0.3, 0.93), mix(-0.02, -0.02), mix(-0.11, 0.12));
}

/** Converts an OKLab colour (lightness, green-red, blue-yellow) to sRGB. */
function oklab(lightness, greenRed, blueYellow) {
  const long = (lightness + 0.3963377774 * greenRed + 0.2158037573 * blueYellow) ** 3;
  const medium = (lightness - 0.1055613458 * greenRed - 0.0638541728 * blueYellow) ** 3;
  const small = (lightness - 0.0894841775 * greenRed - 1.291485548 * blueYellow) ** 3;
  const linear = [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * small,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * small,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * small,
  ];
  const byte = (value) => {
    const light = Math.min(Math.max(value, 0), 1);
    const shown = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
    return Math.round(255 * shown)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${linear.map(byte).join("")}`;
}

/** Returns black or white, whichever has the higher contrast on a colour. */
function inkOn(colour) {
  const linear = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000000" : "#ffffff";
}

/** A plan with derived data: the AR step of each token, and the number of known tokens after each step. */
class Walk {
  constructor(plan, order) {
    this.plan = plan;
    this.height = plan.grid.height;
    this.width = plan.grid.width;
    this.tokens = this.height * this.width;
    this.steps = plan.steps;
    /** AR step that generates each token, from 1; 0 for tokens that are known before the first step. */
    this.stepOf = new Array(this.tokens).fill(0);
    /** Number of known tokens after each number of steps. */
    this.known = [plan.known?.length ?? 0];
    let next = 0;
    this.steps.forEach((step, index) => {
      for (const token of order.slice(next, next + step.tokens)) {
        this.stepOf[token] = index + 1;
      }
      next += step.tokens;
      this.known.push(this.known[0] + next);
    });
  }

  /** Returns the step of a token from the plan; undefined if the token is known before the first step. */
  step(token) {
    return this.steps[this.stepOf[token] - 1];
  }

  /** Returns the neighbours of a token, at most eight. */
  neighbours(token) {
    const [row, column] = [Math.floor(token / this.width), token % this.width];
    const beside = [];
    for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, this.height - 1); y += 1) {
      for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, this.width - 1); x += 1) {
        if (y !== row || x !== column) {
          beside.push(y * this.width + x);
        }
      }
    }
    return beside;
  }

  /** Returns the neighbours that were known when the token was generated. */
  knownNeighbours(token) {
    return this.neighbours(token).filter((other) => this.stepOf[other] < this.stepOf[token]);
  }

  /** Returns the properties of a token as pairs of a name and a text. */
  facts(token) {
    const [row, column] = [Math.floor(token / this.width), token % this.width];
    const place = ["Token", `${token} (row ${row + 1}, column ${column + 1})`];
    const step = this.step(token);
    if (step === undefined) {
      return [place, ["Stage", "known before the first step"]];
    }
    const [known, all] = [this.knownNeighbours(token).length, this.neighbours(token).length];
    return [
      place,
      ["Stage", `${step.stage + 1} ${this.plan.stages[step.stage].role}`],
      ["AR step", `${this.stepOf[token]} of ${this.steps.length}`],
      ["Known neighbours", `${known} of ${all}`],
    ];
  }
}
