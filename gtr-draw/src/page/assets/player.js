"use strict";

/** Playback controls for the positions 0 to `last`. */
class Player {
  constructor(root, last, { describe, show }) {
    this.last = last;
    this.at = last;
    this.timer = null;
    this.describe = describe;
    this.show = show;
    const button = (label, text, act) => {
      const made = html("button", { type: "button", "aria-label": label, title: label }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.slider = html("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "AR steps taken" });
    this.slider.addEventListener("input", () => this.scrub(Number(this.slider.value)));
    this.toggle = button("Play", "▶", () => this.playOrStop());
    this.label = html("output", { class: "position" });
    root.replaceChildren(
      button("One step back", "◀◀", () => this.scrub(this.at - 1)),
      this.toggle,
      button("One step forward", "▶▶", () => this.scrub(this.at + 1)),
      this.slider,
      this.label,
    );
    document.addEventListener("keydown", (event) => this.key(event));
  }

  /** Changes the number of positions and keeps the relative position. */
  stretch(last) {
    const share = this.last === 0 ? 1 : this.at / this.last;
    this.last = last;
    this.slider.max = last;
    this.go(Math.round(share * last));
  }

  /** Stops playback and goes to a position. */
  scrub(position) {
    this.stop();
    this.go(position);
  }

  go(position) {
    this.at = Math.min(Math.max(position, 0), this.last);
    this.slider.value = this.at;
    const words = this.describe(this.at);
    this.slider.setAttribute("aria-valuetext", words);
    this.label.textContent = words;
    this.show(this.at);
  }

  playOrStop() {
    if (this.timer !== null) {
      this.stop();
      return;
    }
    if (this.at === this.last) {
      this.go(0);
    }
    // About ten seconds in total, with several steps at once if there are many. Slower with reduced motion.
    const pace = calm.matches ? 1000 : Math.min(Math.max(10000 / this.last, 40), 500);
    const stride = calm.matches ? 1 : Math.max(Math.round((this.last * pace) / 10000), 1);
    this.timer = setInterval(() => {
      this.go(this.at + stride);
      if (this.at === this.last) {
        this.stop();
      }
    }, pace);
    this.labelToggle("Stop", "❚❚");
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.labelToggle("Play", "▶");
  }

  labelToggle(label, text) {
    this.toggle.textContent = text;
    this.toggle.setAttribute("aria-label", label);
    this.toggle.title = label;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
      return;
    }
    // The focused element may use the key itself.
    const needs = {
      " ": "button, select, summary, input[type=radio]:not(:checked)",
      ArrowLeft: "select, input[type=radio]",
      ArrowRight: "select, input[type=radio]",
    };
    const own = event.target.matches?.(needs[event.key] ?? "select");
    const act = {
      " ": () => this.playOrStop(),
      ArrowLeft: () => this.scrub(this.at - 1),
      ArrowRight: () => this.scrub(this.at + 1),
      Home: () => this.scrub(0),
      End: () => this.scrub(this.last),
    }[event.key];
    if (act !== undefined && !own) {
      event.preventDefault();
      act();
    }
  }
}
