"use strict";

/** A grid of tokens on a canvas. A token is selected with the pointer, a tap, or the arrow keys. */
class Grid {
  /**
   * @param size rows and columns.
   * @param paint returns the appearance of a token: `fill` (a colour; null for a token that is not known), and optionally `text`,
   *   `fresh` (just generated), `known` (hatched), `ring` (picked), `small`, and `seen` (opacity of the image below the token).
   * @param look called with the selected token, or null.
   */
  constructor({ height, width }, label, paint, look) {
    this.height = height;
    this.width = width;
    this.paint = paint;
    this.look = look;
    /** Tokens that are marked with a dot. */
    this.dots = [];
    /** Image that is drawn below the tokens, or null. */
    this.picture = null;
    this.pinned = null;
    this.hovered = null;
    this.canvas = html("canvas", {
      class: "grid",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "token grid",
      "aria-label": `${label}, ${height} by ${width} tokens; the arrow keys select a token`,
    });
    this.context = this.canvas.getContext("2d");
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** The selected token, or null. */
  get token() {
    return this.hovered ?? this.pinned;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") {
        this.hover(this.at(event));
      }
    });
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => {
      const token = this.at(event);
      this.pin(token === this.pinned ? null : token);
    });
    canvas.addEventListener("focus", () => {
      if (this.pinned === null && canvas.matches(":focus-visible")) {
        this.pin(0);
      }
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  hover(token) {
    if (token !== this.hovered) {
      this.hovered = token;
      this.look(this.token);
    }
  }

  pin(token) {
    this.pinned = token;
    this.look(this.token);
  }

  key(event) {
    const from = this.pinned ?? 0;
    const [row, column] = [Math.floor(from / this.width), from % this.width];
    const to = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
    }[event.key];
    if (event.key === "Escape") {
      this.pin(null);
    } else if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (to[0] >= 0 && to[0] < this.height && to[1] >= 0 && to[1] < this.width) {
      this.hovered = null;
      this.pin(to[0] * this.width + to[1]);
    }
    event.preventDefault();
  }

  /** Returns the token under the pointer, or null. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const inside = row >= 0 && row < this.height && column >= 0 && column < this.width;
    return inside ? row * this.width + column : null;
  }

  /** Returns the rectangle of a token, in device pixels. */
  cell(token) {
    const [row, column] = [Math.floor(token / this.width), token % this.width];
    const edge = (number) => Math.round(number * this.side);
    const [left, top] = [edge(column), edge(row)];
    return { left, top, width: edge(column + 1) - left, height: edge(row + 1) - top };
  }

  draw() {
    const { canvas, context } = this;
    const room = canvas.parentElement?.clientWidth ?? 0;
    if (room === 0) {
      return;
    }
    const scale = window.devicePixelRatio || 1;
    const side = Math.min(room / this.width, Math.max(window.innerHeight * 0.68, 320) / this.height, 64);
    this.side = side * scale;
    const [width, height] = [this.width, this.height].map((cells) => Math.max(Math.round(cells * this.side), 1));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${side * this.width}px`;
      canvas.style.height = `${side * this.height}px`;
    }
    this.gap = side >= 7 ? Math.max(Math.round(scale), 1) : 0;
    context.fillStyle = theme.colour("line");
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = this.picture !== null && this.picture.naturalWidth > 64;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.round(this.side * 0.42)}px system-ui, sans-serif`;
    const names = ["unknown", "text", "known", "chosen"];
    const colours = Object.fromEntries(names.map((name) => [name, theme.colour(name)]));
    for (let token = 0; token < this.height * this.width; token += 1) {
      this.drawToken(token, colours, side >= 20);
    }
    this.drawLook(scale);
  }

  drawToken(token, colours, withText) {
    const { context, gap } = this;
    const { left, top, width, height } = this.cell(token);
    const { fill, text, fresh, known, ring, small, seen = 0 } = this.paint(token);
    const [right, bottom] = [width - gap, height - gap];
    context.fillStyle = known ? colours.known : colours.unknown;
    context.fillRect(left, top, right, bottom);
    if (seen > 0 && this.picture !== null) {
      this.drawPicture(token, left, top, right, bottom);
    }
    if (fill !== null) {
      const inset = small ? Math.round(width * 0.28) : 0;
      context.globalAlpha = 1 - seen;
      context.fillStyle = fill;
      context.fillRect(left + inset, top + inset, right - 2 * inset, bottom - 2 * inset);
      context.globalAlpha = 1;
    }
    if (known) {
      this.hatch(left, top, right, bottom, colours.text);
    }
    if (text !== undefined && withText) {
      context.fillStyle = fill === null ? colours.text : inkOn(fill);
      context.fillText(text, left + right / 2, top + bottom / 2 + 1);
    }
    if (fresh || ring) {
      const line = Math.max(Math.round(this.side * (ring ? 0.1 : 0.08)), 1);
      this.frame(left, top, right, bottom, line, ring ? colours.chosen : colours.text);
    }
  }

  /** Draws the part of the image that belongs to a token. */
  drawPicture(token, left, top, width, height) {
    const { picture } = this;
    const [row, column] = [Math.floor(token / this.width), token % this.width];
    const [wide, high] = [picture.naturalWidth / this.width, picture.naturalHeight / this.height];
    this.context.drawImage(picture, column * wide, row * high, wide, high, left, top, width, height);
  }

  /** Hatches a token that is known before the first step. */
  hatch(left, top, width, height, colour) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.globalAlpha = 0.45;
    context.strokeStyle = colour;
    context.lineWidth = Math.max(this.side * 0.06, 0.5);
    context.beginPath();
    for (let shift = -height; shift < width; shift += Math.max(this.side / 4, 2)) {
      context.moveTo(left + shift, top + height);
      context.lineTo(left + shift + height, top);
    }
    context.stroke();
    context.restore();
  }

  frame(left, top, width, height, line, colour) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(left + line / 2, top + line / 2, width - line, height - line);
  }

  /** Draws the frame of the selected token, and the dots. */
  drawLook(scale) {
    if (this.token === null) {
      return;
    }
    const { context } = this;
    for (const token of this.dots) {
      const { left, top, width, height } = this.cell(token);
      context.beginPath();
      context.arc(left + width / 2, top + height / 2, Math.max(this.side * 0.16, scale), 0, 2 * Math.PI);
      context.fillStyle = "#ffffff";
      context.fill();
      context.strokeStyle = "#000000";
      context.lineWidth = Math.max(this.side * 0.05, 0.5);
      context.stroke();
    }
    const { left, top, width, height } = this.cell(this.token);
    const line = Math.max(2 * scale, Math.round(this.side * 0.06));
    this.frame(left - line, top - line, width + 2 * line, height + 2 * line, line, "#000000");
    this.frame(left, top, width, height, line, "#ffffff");
  }
}

/** The list of properties of the selected token. */
class Facts {
  constructor(hint) {
    this.hint = hint;
    this.list = html("dl", { class: "facts", "aria-live": "polite" });
    this.show([]);
  }

  /** Shows pairs of a name and a text. */
  show(facts) {
    const pair = ([name, text]) => html("div", {}, html("dt", {}, name), html("dd", { "data-fact": name }, text));
    this.list.replaceChildren(...(facts.length === 0 ? [html("p", { class: "hint" }, this.hint)] : facts.map(pair)));
  }
}
