// The menu of the columns, at the end of the table's header.

/** A button that opens a box of ticks, one a column. */
class ColumnMenu {
  constructor(columns, changed) {
    this.columns = columns;
    this.changed = changed;
    this.root = make("div", { class: "fd-menu" });
    this.button = make("button", { type: "button", class: "fd-menu-button", "aria-expanded": "false" });
    this.box = make("div", { class: "fd-menu-box", role: "group", hidden: true });
    this.root.append(this.button, this.box);
    this.button.addEventListener("click", () => this.open(this.box.hidden));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.box.hidden) return;
      event.stopPropagation();
      this.open(false);
      this.button.focus();
    });
    // Tab out of it leaves it.
    this.root.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !this.root.contains(relatedTarget)) this.open(false);
    });
    this.outside = (event) => this.root.contains(event.target) || this.open(false);
  }

  open(open) {
    this.box.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    document.removeEventListener("pointerdown", this.outside);
    if (!open) return;
    document.addEventListener("pointerdown", this.outside);
    this.draw();
    this.box.querySelector("input")?.focus();
  }

  show(view) {
    this.view = view;
    this.button.setAttribute("aria-label", view.labels.columns);
    this.button.title = view.labels.columns_hint;
    this.box.setAttribute("aria-label", view.labels.columns_hint);
    if (!this.box.hidden) this.draw();
  }

  draw() {
    const focus = document.activeElement?.dataset?.choice;
    const shown = new Set(this.columns.wanted);
    const list = make("div", { class: "fd-menu-list" });
    for (const { key, label } of this.view.all_columns) {
      list.append(this.tick(key, label, shown.has(key), key === "name", (on) => this.columns.toggle(key, on)));
    }
    const times = this.tick("ago", this.view.labels.times_ago, this.columns.preferences.ago, false, (on) => {
      this.columns.preferences.ago = on;
      this.columns.preferences.save();
      this.changed();
    });
    const hint = make("p", { class: "fd-muted" }, this.view.labels.move_hint);
    const reset = make("button", { type: "button", class: "fd-button", "data-choice": "reset" }, this.view.labels.columns_reset);
    reset.disabled = !this.columns.own;
    reset.addEventListener("click", () => this.columns.reset(this.view.usual_columns));
    this.box.replaceChildren(list, times, hint, reset);
    if (focus) this.box.querySelector(`[data-choice="${CSS.escape(focus)}"]`)?.focus();
  }

  tick(key, label, on, closed, change) {
    const line = make("label", { class: "fd-menu-tick" });
    const box = make("input", { type: "checkbox", "data-choice": key });
    box.checked = on;
    box.disabled = closed;
    box.addEventListener("change", () => change(box.checked));
    line.append(box, make("span", {}, label));
    return line;
  }

  close() {
    document.removeEventListener("pointerdown", this.outside);
  }
}
