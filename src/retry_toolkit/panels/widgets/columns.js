// The columns of the table as this browser wants them: which, in which order, how wide. Python is told which to send.

const STORED_AS = "retry_toolkit.table";
const STORED_AT_MOST = 4000;
const COLUMNS_AT_MOST = 40;
const NARROWEST = 48;
const WIDEST = 900;
const STEP = 16;
const SELECT_WIDTH = 40;
const USUAL = {
  status: 108, name: 240, failed_stage: 116, failure_category: 96, error: 280, retry_count: 84, created_at: 124, duration_s: 100, owner: 100,
  finished_at: 124, template: 128, project: 112, refusal: 168, parent_id: 152, stage_count: 84, tokens: 92, cost: 92,
};

const within = (width) => Math.round(Math.min(Math.max(width, NARROWEST), WIDEST));
const usual = (key) => USUAL[key] ?? 120;

/** What this browser remembers of the table; whatever else is stored there, it reads as nothing. */
class Preferences {
  constructor() {
    this.forget();
    try {
      const text = localStorage.getItem(STORED_AS) ?? "{}";
      const stored = text.length > STORED_AT_MOST ? {} : JSON.parse(text);
      if (Array.isArray(stored.columns)) this.columns = stored.columns.filter((key) => typeof key === "string").slice(0, COLUMNS_AT_MOST);
      for (const [key, width] of Object.entries(stored.widths ?? {}).slice(0, COLUMNS_AT_MOST)) {
        if (Number.isFinite(width)) this.widths.set(key, within(width));
      }
      this.ago = stored.ago === true;
    } catch {
      this.forget();
    }
  }

  forget() {
    this.columns = null;
    this.widths = new Map();
    this.ago = false;
  }

  save() {
    try {
      localStorage.setItem(STORED_AS, JSON.stringify({ columns: this.columns, widths: Object.fromEntries(this.widths), ago: this.ago }));
    } catch {
      // A browser that keeps nothing shows the columns as they are until the page is left.
    }
  }
}

/** Chooses, moves and sizes the columns of a table whose header is `head`; `changed` draws anew, `send` tells Python. */
class Columns {
  constructor(head, { send, changed }) {
    this.head = head;
    this.send = send;
    this.changed = changed;
    this.preferences = new Preferences();
    this.wanted = [];
    this.shown = [];
    this.asked = false;
  }

  /** `view` with the columns as this browser wants them, of those that Python has sent; the first time, ask for them. */
  arrange(view) {
    const labels = new Map(view.columns.map((column) => [column.key, column]));
    const known = new Set(view.all_columns.map(({ key }) => key));
    const stored = [...new Set(this.preferences.columns ?? [])].filter((key) => known.has(key));
    if (stored.length && !stored.includes("name")) stored.unshift("name");
    this.wanted = stored.length ? stored : [...labels.keys()];
    this.shown = this.wanted.filter((key) => labels.has(key));
    if (!this.asked) {
      this.asked = true;
      if (stored.length && stored.join() !== [...labels.keys()].join()) this.send({ type: "columns", columns: stored });
    }
    return { ...view, columns: this.shown.map((key) => labels.get(key)) };
  }

  get own() {
    return this.preferences.columns !== null || this.preferences.widths.size > 0;
  }

  choose(columns) {
    this.preferences.columns = columns;
    this.preferences.save();
    this.send({ type: "columns", columns });
    // What is here already moves at once; Python sends what is not.
    this.changed();
  }

  toggle(key, on) {
    this.choose(on ? [...this.wanted, key] : this.wanted.filter((other) => other !== key));
  }

  /** Put a column in front of another one, or at the end. */
  place(key, before) {
    const rest = this.shown.filter((other) => other !== key);
    const at = before === null ? rest.length : rest.indexOf(before);
    rest.splice(at < 0 ? rest.length : at, 0, key);
    if (rest.join() !== this.shown.join()) this.choose(rest);
  }

  shift(key, step) {
    const at = this.shown.indexOf(key) + step;
    if (at < 0 || at >= this.shown.length) return;
    const rest = this.shown.filter((other) => other !== key);
    rest.splice(at, 0, key);
    this.choose(rest);
  }

  reset(usualColumns) {
    const { ago } = this.preferences;
    this.preferences.forget();
    this.preferences.ago = ago;
    this.preferences.save();
    this.send({ type: "columns", columns: usualColumns });
    this.changed();
  }

  cell(key) {
    return this.head.querySelector(`th[data-key="${CSS.escape(key)}"]`);
  }

  width(key) {
    return this.cell(key)?.offsetWidth ?? usual(key);
  }

  /** Change a width; the first time, every other column is held at the width that it has. */
  resize(key, width) {
    for (const other of this.shown) {
      if (!this.preferences.widths.has(other)) this.preferences.widths.set(other, within(this.width(other)));
    }
    this.preferences.widths.set(key, within(width));
    this.apply();
  }

  /** Set the widths: one's own where there are any, the last column takes what is left. */
  apply() {
    const { widths } = this.preferences;
    const table = this.head.parentElement;
    const wanted = (key) => widths.get(key) ?? usual(key);
    const last = this.shown.at(-1);
    for (const key of this.shown) {
      const cell = this.cell(key);
      if (cell) cell.style.width = widths.size && key !== last ? `${wanted(key)}px` : widths.size ? "auto" : "";
    }
    const sum = this.shown.reduce((total, key) => total + wanted(key), SELECT_WIDTH);
    table.style.minWidth = this.own ? `${sum}px` : "";
  }

  /** As wide as what stands in it, on this page. */
  fit(key) {
    const table = this.head.parentElement;
    const range = document.createRange();
    let widest = 0;
    for (const cell of table.querySelectorAll(`.fd-col-${CSS.escape(key)}`)) {
      const style = getComputedStyle(cell);
      const edges = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        range.selectNode(texts.currentNode);
        // The mark of the order, the shape of a status or a copy button stands beside a text.
        widest = Math.max(widest, range.getBoundingClientRect().width + edges + 26);
      }
    }
    this.resize(key, widest);
    this.preferences.save();
  }

  /** Listen to a header cell: drag to move, drag its edge to size, or Alt and Shift with an arrow. */
  listen(cell, button, edge) {
    const { key } = cell.dataset;
    edge.addEventListener("pointerdown", (event) => this.drag(event, (moved, start) => this.resize(key, start + moved), () => this.preferences.save(), this.width(key)));
    edge.addEventListener("dblclick", () => this.fit(key));
    edge.addEventListener("click", (event) => event.stopPropagation());
    cell.addEventListener("pointerdown", (event) => {
      if (event.target === edge) return;
      this.drag(event, (_moved, _start, x) => this.mark(key, x), (x) => this.drop(key, x));
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.altKey === event.shiftKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (event.altKey) this.shift(key, step);
      else {
        this.resize(key, this.width(key) + step * STEP);
        this.preferences.save();
      }
    });
  }

  drag(event, during, after, start = 0) {
    if (event.button !== 0) return;
    const from = event.clientX;
    let begun = false;
    const move = ({ clientX }) => {
      begun ||= Math.abs(clientX - from) > 4;
      if (begun) during(clientX - from, start, clientX);
    };
    const end = (last) => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      if (!begun) return;
      // The click that ends a drag is no click on the header.
      const swallow = (click) => click.stopPropagation();
      window.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => window.removeEventListener("click", swallow, { capture: true }));
      if (last.type === "pointerup") after(last.clientX);
      else this.unmark();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
    event.preventDefault();
    event.target.closest("th")?.querySelector("button")?.focus({ preventScroll: true });
  }

  /** In front of which column something dropped at `x` would come; null is the end. */
  target(x) {
    return this.shown.find((key) => {
      const box = this.cell(key)?.getBoundingClientRect();
      return box && box.width > 0 && x < box.left + box.width / 2;
    }) ?? null;
  }

  mark(key, x) {
    this.unmark();
    this.cell(key)?.classList.add("fd-dragged");
    const before = this.target(x);
    if (before !== null) this.cell(before)?.classList.add("fd-drop-before");
    else this.cell(this.shown.at(-1))?.classList.add("fd-drop-behind");
  }

  unmark() {
    for (const cell of this.head.querySelectorAll("th")) cell.classList.remove("fd-dragged", "fd-drop-before", "fd-drop-behind");
  }

  drop(key, x) {
    this.unmark();
    this.place(key, this.target(x) === key ? this.shown[this.shown.indexOf(key) + 1] ?? null : this.target(x));
  }
}
