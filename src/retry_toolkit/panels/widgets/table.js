// A table whose rows, pages, sorting and selection belong to Python: the browser shows one window and sends what was done.

const NAVIGATION = { ArrowDown: 1, ArrowUp: -1 };

const TIMES = new Set(["created_at", "finished_at"]);
// What a spreadsheet would take for a formula, or for the next cell.
const FORMULA = /^[=+\-@]/;

function sortButton(column, view, send, columns) {
  const place = view.sorts.findIndex((sort) => sort.column === column.key);
  const header = make("th", {
    scope: "col",
    role: "columnheader",
    class: `fd-col-${column.key}`,
    "data-key": column.key,
    "data-way": place < 0 ? null : view.sorts[place].descending ? "descending" : "ascending",
    // Readers of the screen expect one of them; the others say their number.
    "aria-sort": place === 0 ? (view.sorts[0].descending ? "descending" : "ascending") : "none",
  });
  const button = make("button", { type: "button", class: "fd-sort", title: `${view.labels.sort}\n${view.labels.move_hint}` });
  button.append(make("span", { class: "fd-sort-name" }, column.label), make("span", { class: "fd-sort-mark", "aria-hidden": "true" }));
  if (place >= 0 && view.sorts.length > 1) {
    button.append(make("span", { class: "fd-sort-place", "aria-hidden": "true" }, String(place + 1)));
    button.append(make("span", { class: "fd-hidden-text" }, view.labels.sorted.replace("{n}", () => String(place + 1))));
  }
  const sort = (more) => send({ type: "sort", column: column.key, more });
  button.addEventListener("click", (event) => sort(event.shiftKey));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    sort(true);
  });
  const edge = make("span", { class: "fd-edge", "aria-hidden": "true" });
  header.append(button, edge);
  columns.listen(header, button, edge);
  return header;
}

function pageCheckbox(view, send) {
  const header = make("th", { scope: "col", role: "columnheader", class: "fd-col-select" });
  const box = make("input", { type: "checkbox", "aria-label": view.labels.select_page, title: view.labels.select_page });
  box.checked = view.page_selection === "all";
  box.indeterminate = view.page_selection === "some";
  box.disabled = view.rows.length === 0;
  box.addEventListener("change", () => send({ type: "select_page" }));
  header.append(box);
  return header;
}

function nameCell(row, view) {
  const cell = make("td", { role: "gridcell", class: "fd-col-name" });
  cell.append(make("div", { class: "fd-name", title: row.name }, row.name));
  const line = make("div", { class: "fd-id" });
  line.append(make("span", { class: "fd-mono", title: row.id }, row.id));
  const copy = make("button", { type: "button", class: "fd-copy-id", tabindex: "-1", title: view.labels.copy_id, "aria-label": view.labels.copy_id });
  copy.addEventListener("click", async (event) => {
    event.stopPropagation();
    await copyText(row.id);
    copy.dataset.done = "yes";
    setTimeout(() => delete copy.dataset.done, 1500);
  });
  line.append(copy);
  cell.append(line);
  for (const [start, end] of row.notes) {
    const note = make("div", { class: "fd-note fd-shape fd-is-retry", title: start + end });
    note.append(make("span", { class: "fd-note-start" }, start), make("span", { class: "fd-note-end" }, end));
    cell.append(note);
  }
  return cell;
}

function errorCell(row, view, send) {
  const cell = make("td", { role: "gridcell", class: "fd-col-error", title: row.error });
  cell.append(make("div", { class: "fd-clamped" }, row.error));
  if (!row.error) return cell;
  // The browser has the first line only: Python sends the whole.
  const copy = make("button", { type: "button", class: "fd-copy-id fd-copy-error", tabindex: "-1", title: view.labels.copy_error, "aria-label": view.labels.copy_error });
  copy.addEventListener("click", (event) => {
    event.stopPropagation();
    send({ type: "copy_error", id: row.id });
    copy.dataset.done = "yes";
    setTimeout(() => delete copy.dataset.done, 1500);
  });
  cell.append(copy);
  return cell;
}

function timeCell(key, iso, view, ago) {
  const cell = make("td", { role: "gridcell", class: `fd-col-${key}` });
  if (!iso) cell.textContent = "–";
  else {
    const time = make("time", { datetime: iso, title: exactTime(iso, view.language) });
    time.textContent = ago ? relativeTime(iso, view.language) : shortTime(iso, view.language);
    cell.append(time);
  }
  return cell;
}

/** The cells of a row as a line for a spreadsheet, in which nothing is a formula. */
function rowText(row, view) {
  const cells = view.columns.flatMap(({ key }) => {
    if (key === "status") return [row.status_word];
    return key === "name" ? [row.name, row.id] : [row[key] ?? ""];
  });
  const safe = cells.map((text) => String(text === "–" ? "" : text).replace(/\s+/g, " ").trim());
  return safe.map((text) => (FORMULA.test(text) ? `'${text}` : text)).join("\t");
}

function textCell(key, text) {
  return make("td", { role: "gridcell", class: `fd-col-${key}`, title: text }, text);
}

function rowElement(row, view, send, ago) {
  const element = make("tr", {
    role: "row",
    tabindex: "-1",
    "data-id": row.id,
    "aria-rowindex": row.index,
    "aria-selected": row.selected ? "true" : "false",
    "aria-current": row.id === view.open ? "true" : null,
    class: row.pinned ? "fd-pinned" : null,
  });
  const choose = make("td", { role: "gridcell", class: "fd-col-select" });
  const box = make("input", { type: "checkbox", tabindex: "-1", "aria-label": view.labels.select.replace("{name}", () => row.name) });
  box.checked = row.selected;
  choose.addEventListener("click", (event) => {
    event.stopPropagation();
    if (event.target !== box) box.checked = !box.checked;
    send({ type: event.shiftKey ? "range" : "toggle", id: row.id });
  });
  choose.append(box);

  const state = make("td", { role: "gridcell", class: "fd-col-status" });
  state.append(make("span", { class: `fd-status fd-is-${row.status}`, title: row.native_status }, row.status_word));
  const cell = (key) => {
    if (TIMES.has(key)) return timeCell(key, row[key], view, ago);
    if (key === "status") return state;
    if (key === "name") return nameCell(row, view);
    return key === "error" ? errorCell(row, view, send) : textCell(key, row[key]);
  };
  element.append(choose, ...view.columns.map(({ key }) => cell(key)));
  return element;
}

/** Make a row look like a fresh one. What is the same stays where it is: a click that has begun on it is not lost. */
function renew(element, fresh) {
  for (const name of new Set([...element.getAttributeNames(), ...fresh.getAttributeNames()])) {
    const value = fresh.getAttribute(name);
    if (name === "tabindex") continue;
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
  if (element.children.length !== fresh.children.length) return element.replaceChildren(...fresh.children);
  const [box, wanted] = [element, fresh].map((row) => row.querySelector(".fd-col-select input"));
  box.checked = wanted.checked;
  [...fresh.children].forEach((cell, index) => {
    const old = element.children[index];
    if (!old.isEqualNode(cell)) old.replaceWith(cell);
  });
}

/** Have a body hold exactly these rows, without taking out those that stay. */
function arrangeRows(body, rows) {
  const staying = new Set(rows);
  for (const child of [...body.children]) if (!staying.has(child)) child.remove();
  rows.forEach((row, index) => {
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
}

function listenToRow(element, id, send) {
  element.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey) send({ type: "toggle", id });
    else if (event.shiftKey) {
      window.getSelection()?.removeAllRanges();
      send({ type: "range", id });
    } else if (window.getSelection()?.isCollapsed !== false) send({ type: "open", id });
  });
}

function notice(view, send) {
  const row = make("tr", { role: "row", class: "fd-notice" });
  const cell = make("td", { role: "gridcell", colspan: view.columns.length + 1 });
  cell.append(make("p", { class: "fd-notice-title" }, view.notice.title));
  if (view.notice.text) cell.append(make("p", {}, view.notice.text));
  if (view.notice.action) {
    const button = make("button", { type: "button", class: "fd-button" }, view.notice.label);
    button.addEventListener("click", () => send({ type: view.notice.action }));
    cell.append(button);
  }
  row.append(cell);
  return row;
}

function skeleton(view) {
  return Array.from({ length: view.page_size }, () => {
    const row = make("tr", { class: "fd-skeleton", "aria-hidden": "true" });
    for (const key of ["select", ...view.columns.map((column) => column.key)]) {
      const cell = make("td", { class: `fd-col-${key}` });
      cell.append(make("span"));
      row.append(cell);
    }
    return row;
  });
}

function pager(view, send) {
  const bar = make("div", { class: "fd-pager", role: "navigation", "aria-label": view.labels.pages });
  bar.append(make("span", { class: "fd-range", "aria-live": "polite" }, view.labels.range));
  const size = make("select", { class: "fd-select", "aria-label": view.labels.page_size });
  for (const option of view.page_sizes) {
    size.append(make("option", { value: option.value, selected: option.value === view.page_size }, option.label));
  }
  size.addEventListener("change", () => send({ type: "page_size", size: Number(size.value) }));
  bar.append(size);
  const step = (page, label, mark) => {
    const button = make("button", { type: "button", class: `fd-button fd-turn fd-${mark}`, "aria-label": label, title: label });
    button.disabled = page < 0 || page >= view.pages;
    button.addEventListener("click", () => send({ type: "page", page }));
    return button;
  };
  bar.append(step(view.page - 1, view.labels.previous, "previous"));
  bar.append(make("span", { class: "fd-page" }, view.labels.page));
  bar.append(step(view.page + 1, view.labels.next, "next"));
  return bar;
}

class Table {
  constructor(model, el) {
    this.model = model;
    this.send = (message) => model.send(message);
    this.kept = new Map();
    this.focused = null;
    this.signature = "";
    this.turned = "";
    this.root = make("div", { class: "fd fd-table" });
    this.scroller = make("div", { class: "fd-scroller" });
    this.table = make("table", { role: "grid", "aria-multiselectable": "true" });
    this.head = make("thead", { role: "rowgroup" });
    this.body = make("tbody", { role: "rowgroup" });
    this.foot = make("div");
    this.said = make("div", { class: "fd-hidden-text", role: "status" });
    this.columns = new Columns(this.head, { send: this.send, changed: () => this.show() });
    this.menu = new ColumnMenu(this.columns, () => this.show());
    this.table.append(this.head, this.body);
    this.scroller.append(this.table);
    this.root.append(this.scroller, this.menu.root, this.foot, this.said);
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => this.remember(event));
    el.replaceChildren(this.root);
  }

  show() {
    if (!this.model.get("window").columns) return;
    const view = this.columns.arrange(this.model.get("window"));
    this.view = view;
    const focus = document.activeElement;
    const footFocus = this.foot.contains(focus) ? [...this.foot.querySelectorAll("button, select")].indexOf(focus) : -1;
    const bodyFocus = this.body.contains(focus);

    this.root.lang = view.language;
    this.table.setAttribute("aria-label", view.labels.table);
    this.table.setAttribute("aria-rowcount", view.matching + 1);
    this.table.setAttribute("aria-busy", view.loading ? "true" : "false");
    this.root.classList.toggle("fd-busy", view.loading);
    this.root.classList.toggle("fd-own-columns", this.columns.own);
    this.showHead(view);
    this.columns.apply();
    this.menu.show(view);
    this.showFoot(view);
    this.showRows(view);

    if (footFocus >= 0) this.foot.querySelectorAll("button, select")[footFocus]?.focus();
    this.rove(view, bodyFocus);
  }

  showHead(view) {
    const signature = JSON.stringify([view.columns, view.sorts, view.language, view.page_selection, view.rows.length === 0]);
    if (signature === this.signature) return;
    // A column that was moved by keyboard keeps the focus, wherever it is now.
    const focus = document.activeElement;
    const key = this.head.contains(focus) ? focus.closest("th").dataset.key : undefined;
    this.signature = signature;
    const row = make("tr", { role: "row", "aria-rowindex": "1" });
    row.append(pageCheckbox(view, this.send), ...view.columns.map((column) => sortButton(column, view, this.send, this.columns)));
    const inHead = this.head.contains(focus);
    this.head.replaceChildren(row);
    if (inHead) (key ? this.columns.cell(key)?.querySelector("button") : row.querySelector("input"))?.focus();
  }

  showFoot(view) {
    const turned = JSON.stringify([view.page, view.pages, view.page_size, view.page_sizes, view.labels]);
    if (turned === this.turned) return;
    this.turned = turned;
    this.foot.replaceChildren(pager(view, this.send));
  }

  showRows(view) {
    if (view.notice) this.body.replaceChildren(notice(view, this.send));
    else if (view.loading && view.rows.length === 0) this.body.replaceChildren(...skeleton(view));
    else {
      const kept = new Map();
      const { ago } = this.columns.preferences;
      const shared = JSON.stringify([view.columns, view.language, ago]);
      const rows = view.rows.map((row) => {
        const signature = `${shared}${row.id === view.open}${JSON.stringify(row)}`;
        const old = this.kept.get(row.id);
        const element = old?.element ?? rowElement(row, view, this.send, ago);
        if (!old) listenToRow(element, row.id, this.send);
        else if (old.signature !== signature) renew(element, rowElement(row, view, this.send, ago));
        kept.set(row.id, { signature, element });
        return element;
      });
      this.kept = kept;
      arrangeRows(this.body, rows);
    }
  }

  /** Times that say how long ago something was move on by themselves. */
  tick() {
    if (!this.columns.preferences.ago) return;
    const { language } = this.view;
    for (const time of this.body.querySelectorAll("time")) time.textContent = relativeTime(time.dateTime, language);
  }

  async copyRow(element, view) {
    const row = view.rows.find(({ id }) => id === element.dataset.id);
    if (!row) return;
    await copyText(rowText(row, view));
    this.said.textContent = view.labels.copied_row;
    element.classList.add("fd-copied");
    setTimeout(() => {
      this.said.textContent = "";
      element.classList.remove("fd-copied");
    }, 1500);
  }

  rove(view, focus) {
    const rows = [...this.body.querySelectorAll("tr[data-id]")];
    const current = rows.find((row) => row.dataset.id === this.focused) ?? rows[0];
    for (const row of rows) row.tabIndex = row === current ? 0 : -1;
    if (focus && current) current.focus({ preventScroll: true });
  }

  remember(event) {
    const row = event.target.closest("tr[data-id]");
    if (!row) return;
    this.focused = row.dataset.id;
    for (const other of this.body.querySelectorAll("tr[data-id]")) other.tabIndex = other === row ? 0 : -1;
  }

  key(event) {
    const row = event.target.closest("tr[data-id]");
    if (!row || event.target.closest("button")) return;
    const { view } = this;
    const id = row.dataset.id;
    const focus = (target) => target?.dataset?.id && target.focus();
    if (event.key in NAVIGATION) {
      const target = NAVIGATION[event.key] > 0 ? row.nextElementSibling : row.previousElementSibling;
      focus(target);
      if (event.shiftKey && target?.dataset?.id) this.send({ type: "range", id: target.dataset.id, start: id });
    } else if (event.key === "Home") focus(this.body.firstElementChild);
    else if (event.key === "End") focus(this.body.lastElementChild);
    else if (event.key === "PageDown" && view.page + 1 < view.pages) this.send({ type: "page", page: view.page + 1 });
    else if (event.key === "PageUp" && view.page > 0) this.send({ type: "page", page: view.page - 1 });
    else if (event.key === " ") this.send({ type: event.shiftKey ? "range" : "toggle", id });
    else if (event.key === "Enter") this.send({ type: "open", id });
    else if (event.key.toLowerCase() === "c" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      // What is marked with the mouse is what is meant.
      if (window.getSelection()?.isCollapsed === false) return;
      this.copyRow(row, view);
    } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) this.send({ type: "select_page" });
    else return;
    event.preventDefault();
  }
}

async function copyWhenTold(message) {
  if (typeof message?.copy === "string") await copyText(message.copy);
}

function render({ model, el }) {
  const table = new Table(model, el);
  const show = () => table.show();
  model.on("change:window", show);
  model.on("msg:custom", copyWhenTold);
  const clock = setInterval(() => table.tick(), 30_000);
  show();
  return () => {
    clearInterval(clock);
    table.menu.close();
    model.off("change:window", show);
    model.off("msg:custom", copyWhenTold);
  };
}

export default { render };
