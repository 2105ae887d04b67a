"use strict";

/** A chart over the AR steps, with a marker at the current step. */
class Chart {
  /**
   * @param title the quantity, with its unit.
   * @param lines the lines: each has a name, a value or null for each step, and a kind, `bars`, `dashed` or `plain`.
   * @param most the upper end of the axis.
   * @param scrub called with the step under a pressed pointer.
   */
  constructor(title, lines, { most, digits = 2, unit = "", scrub }) {
    Object.assign(this, { title, lines, digits, unit });
    this.steps = lines[0].values.length;
    this.most = most > 0 ? most : 1;
    this.value = html("output", {});
    this.marker = svg("line", { class: "marker", y1: Chart.TOP, y2: Chart.BOTTOM });
    this.drawing = this.draw(scrub);
    this.element = html(
      "figure",
      { class: "chart" },
      html("figcaption", {}, html("span", {}, title), this.value),
      this.drawing,
    );
  }

  draw(scrub) {
    const values = this.lines.flatMap((line) => line.values).filter((value) => value !== null);
    const ends = values.length === 0 ? "no values" : this.words(values.reduce((a, b) => Math.min(a, b)));
    const top = values.length === 0 ? "" : ` to ${this.words(values.reduce((a, b) => Math.max(a, b)))}`;
    const drawing = svg(
      "svg",
      { viewBox: "0 0 320 96", role: "img", "aria-label": `${this.title} over ${this.steps} AR steps: ${ends}${top}` },
      svg("line", { class: "axis", x1: Chart.LEFT, x2: Chart.RIGHT, y1: Chart.BOTTOM, y2: Chart.BOTTOM }),
      svg("text", { x: Chart.LEFT - 4, y: Chart.TOP + 8, "text-anchor": "end" }, short(this.most, this.digits)),
      svg("text", { x: Chart.LEFT - 4, y: Chart.BOTTOM, "text-anchor": "end" }, "0"),
      svg("text", { x: Chart.LEFT, y: 95 }, "1"),
      svg("text", { x: Chart.RIGHT, y: 95, "text-anchor": "end" }, String(this.steps)),
      ...this.lines.map((line, index) => this.path(line, index)),
      this.marker,
    );
    const follow = (event) => {
      if (event.buttons === 1) {
        const box = drawing.getBoundingClientRect();
        const at = ((event.clientX - box.left) / box.width) * 320;
        scrub(Math.min(Math.max(Math.ceil((at - Chart.LEFT) / this.step), 1), this.steps));
      }
    };
    drawing.addEventListener("pointerdown", follow);
    drawing.addEventListener("pointermove", follow);
    return drawing;
  }

  /** Width of a step. */
  get step() {
    return (Chart.RIGHT - Chart.LEFT) / this.steps;
  }

  x(index) {
    return Chart.LEFT + index * this.step;
  }

  y(value) {
    return Chart.BOTTOM - (value / this.most) * (Chart.BOTTOM - Chart.TOP);
  }

  path({ values, kind }, index) {
    const bars = kind === "bars";
    const points = [];
    let open = false;
    values.forEach((value, step) => {
      if (value === null) {
        open = false;
        return;
      }
      const [left, right, y] = [this.x(step), this.x(step + 1), this.y(value)].map((part) => part.toFixed(1));
      points.push(
        bars ? `M${left},${Chart.BOTTOM}V${y}H${right}V${Chart.BOTTOM}` : `${open ? "L" : "M"}${left},${y}H${right}`,
      );
      open = true;
    });
    return svg("path", { class: `line line-${index} ${kind ?? "plain"}`, d: points.join("") });
  }

  words(value) {
    return value === null ? "–" : `${short(value, this.digits)}${this.unit}`;
  }

  /** Shows the values of an AR step, from 1; 0 is before the first step. */
  show(step) {
    const named = (line) => `${line.name ? `${line.name} ` : ""}${this.words(line.values[step - 1])}`;
    const shown = step === 0 ? [] : this.lines.filter((line) => line.values[step - 1] !== null);
    this.value.textContent = shown.length === 0 ? "–" : shown.map(named).join(", ");
    const x = step === 0 ? Chart.LEFT : this.x(step - 0.5);
    this.marker.setAttribute("x1", x);
    this.marker.setAttribute("x2", x);
  }
}

Chart.LEFT = 34;
Chart.RIGHT = 318;
Chart.TOP = 4;
Chart.BOTTOM = 82;

/** Returns the largest value. Missing values count as 0. */
function largest(values) {
  return values.reduce((most, value) => Math.max(most, value ?? 0), 0);
}
