"use strict";

/** A row of the page, with one column per plan. */
function row(name, ...columns) {
  return html("section", { class: `row ${name}` }, ...columns);
}

/** A group of radio buttons. */
function choice(title, options, chosen, choose) {
  const name = title.toLowerCase().replaceAll(" ", "-");
  const radio = ([value, text]) => {
    const input = html("input", { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    return html("label", {}, input, html("span", {}, text));
  };
  return html("fieldset", { class: "choice" }, html("legend", {}, title), ...options.map(radio));
}

/** A table; the first cell of a row is its heading. */
function table(caption, columns, rows) {
  const heading = (text, scope) => html("th", { scope }, text);
  const line = ([first, ...rest]) => html("tr", {}, heading(first, "row"), ...rest.map((text) => html("td", {}, text)));
  const made = html(
    "table",
    {},
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, ...columns.map((text) => heading(text, "col")))),
    html("tbody", {}, ...rows.map(line)),
  );
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, made);
}

/** A list of names and texts. */
function pairs(list) {
  const pair = ([name, text]) => html("div", {}, html("dt", {}, name), html("dd", {}, text));
  return html("dl", { class: "pairs" }, ...list.map(pair));
}

/** A legend entry: a colour swatch and its meaning. */
function patch(colour, text, kind = "") {
  const swatch = html("i", { class: `swatch ${kind}` });
  if (colour !== null) {
    swatch.style.background = colour;
  }
  return html("span", { class: "patch" }, swatch, text);
}

/** A legend entry: the colour ramp and its ends. */
function rampPatch(from, to) {
  const bar = html("i", { class: "ramp" });
  bar.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map(ramp).join(", ")})`;
  return html("span", { class: "patch" }, from, bar, to);
}

/** Formats the diffusion steps of the plan, with the number of evaluations if it differs. */
function diffusionSteps(nominal, evaluated) {
  return evaluated === nominal ? String(nominal) : `${nominal} (${evaluated} evaluated)`;
}
