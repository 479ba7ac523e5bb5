// Choosing a grid by hand, level by level (data-grids): each choice fetches what lies under it.
import { all, make } from "./dom.js";
import { send } from "./send.js";

export function start(root = document) {
  all("[data-grids]", root).forEach((box) => { if (box.dataset.started === undefined) new Chooser(box); });
}

class Chooser {
  constructor(box) {
    box.dataset.started = "";
    this.box = box;
    this.root = box.dataset.grids;
    this.levels = JSON.parse(box.dataset.levels);  // What a grid is called, by the length of its code.
    this.lengths = Object.keys(this.levels).map(Number).sort((a, b) => a - b);
    this.input = box.closest("form").elements[box.dataset.into || "grid_code"];
    this.selects = box.querySelector("[data-grid-selects]");
    this.input.addEventListener("grid:found", (event) => this.follow(event.detail.code));
    this.follow(this.input.value);
  }

  // Show the selects down to `code`: one for each level above it, and one for what lies under it.
  async follow(code) {
    const turn = (this.turn = (this.turn || 0) + 1);
    const path = this.lengths.map((length) => code.slice(0, length)).filter((part, n, parts) => part.length > this.root.length && part !== parts[n - 1]);
    const parents = [this.root, ...path].filter((part) => part.length < this.lengths[this.lengths.length - 1]);
    const answers = await Promise.all(parents.map((parent) => send("GET", `/api/v1/grids/${parent}/children`)));
    if (turn !== this.turn) return;
    const rows = answers.map((answer, n) => this.select(parents[n], (answer.body && answer.body.items) || [], path[n])).filter(Boolean);
    this.selects.replaceChildren(...rows);
  }

  select(parent, grids, chosen) {
    if (!grids.length) return null;
    const name = this.levels[this.lengths.find((length) => length > parent.length)] || "";
    const select = make("select", { class: "input select", "aria-label": name },
      make("option", { value: "" }, name),
      ...grids.map((grid) => make("option", { value: grid.code, selected: grid.code === chosen }, grid.short_name || grid.name)));
    select.addEventListener("change", () => {
      this.input.value = select.value || (parent === this.root ? "" : parent);
      this.input.dispatchEvent(new Event("change", { bubbles: true }));
      const names = all("select", this.selects).map((one) => one.value && one.selectedOptions[0].textContent);
      const upTo = names.slice(0, all("select", this.selects).indexOf(select) + 1).filter(Boolean);
      if (this.input.value) this.box.dispatchEvent(new CustomEvent("grid:chosen", { bubbles: true, detail: { code: this.input.value, name: upTo.join(" ") } }));
      this.follow(this.input.value).then(() => { const next = all("select", this.selects).pop(); if (next && !next.value) next.focus(); });
    });
    return select;
  }
}
