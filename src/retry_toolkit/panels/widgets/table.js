// A table whose rows, pages, sorting and selection belong to Python: the browser shows one window and sends what was done.

const NAVIGATION = { ArrowDown: 1, ArrowUp: -1 };

function sortButton(column, view, send) {
  const sorted = view.sort.column === column.key;
  const header = make("th", {
    scope: "col",
    role: "columnheader",
    class: `fd-col-${column.key}`,
    "aria-sort": sorted ? (view.sort.descending ? "descending" : "ascending") : "none",
  });
  const button = make("button", { type: "button", class: "fd-sort", title: view.labels.sort }, column.label);
  button.append(make("span", { class: "fd-sort-mark", "aria-hidden": "true" }));
  button.addEventListener("click", () => send({ type: "sort", column: column.key }));
  header.append(button);
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

function errorCell(text) {
  const cell = make("td", { role: "gridcell", class: "fd-col-error", title: text });
  cell.append(make("div", { class: "fd-clamped" }, text));
  return cell;
}

function textCell(key, text) {
  return make("td", { role: "gridcell", class: `fd-col-${key}`, title: text }, text);
}

function rowElement(row, view, send) {
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
  const created = make("td", { role: "gridcell", class: "fd-col-created_at" });
  if (row.created_at) {
    const time = make("time", { datetime: row.created_at, title: exactTime(row.created_at, view.language) });
    time.textContent = shortTime(row.created_at, view.language);
    created.append(time);
  } else created.textContent = "–";

  const cells = { status: state, name: nameCell(row, view), created_at: created, error: errorCell(row.error) };
  element.append(choose, ...view.columns.map(({ key }) => cells[key] ?? textCell(key, row[key])));
  return element;
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
    this.root = make("div", { class: "fd fd-table" });
    this.scroller = make("div", { class: "fd-scroller" });
    this.table = make("table", { role: "grid", "aria-multiselectable": "true" });
    this.head = make("thead", { role: "rowgroup" });
    this.body = make("tbody", { role: "rowgroup" });
    this.foot = make("div");
    this.table.append(this.head, this.body);
    this.scroller.append(this.table);
    this.root.append(this.scroller, this.foot);
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => this.remember(event));
    el.replaceChildren(this.root);
  }

  show() {
    const view = this.model.get("window");
    if (!view.columns) return;
    const focus = document.activeElement;
    const headFocus = this.head.contains(focus) ? [...this.head.querySelectorAll("button, input")].indexOf(focus) : -1;
    const footFocus = this.foot.contains(focus) ? [...this.foot.querySelectorAll("button, select")].indexOf(focus) : -1;
    const bodyFocus = this.body.contains(focus);

    this.root.lang = view.language;
    this.table.setAttribute("aria-label", view.labels.table);
    this.table.setAttribute("aria-rowcount", view.matching + 1);
    this.table.setAttribute("aria-busy", view.loading ? "true" : "false");
    this.root.classList.toggle("fd-busy", view.loading);
    const head = make("tr", { role: "row", "aria-rowindex": "1" });
    head.append(pageCheckbox(view, this.send), ...view.columns.map((column) => sortButton(column, view, this.send)));
    this.head.replaceChildren(head);
    this.foot.replaceChildren(pager(view, this.send));
    this.showRows(view);

    if (headFocus >= 0) this.head.querySelectorAll("button, input")[headFocus]?.focus();
    if (footFocus >= 0) this.foot.querySelectorAll("button, select")[footFocus]?.focus();
    this.rove(view, bodyFocus);
  }

  showRows(view) {
    if (view.notice) this.body.replaceChildren(notice(view, this.send));
    else if (view.loading && view.rows.length === 0) this.body.replaceChildren(...skeleton(view));
    else {
      const kept = new Map();
      const shared = JSON.stringify([view.columns, view.language]);
      const rows = view.rows.map((row) => {
        const signature = `${shared}${row.id === view.open}${JSON.stringify(row)}`;
        const old = this.kept.get(row.id);
        const element = old?.signature === signature ? old.element : rowElement(row, view, this.send);
        if (element !== old?.element) listenToRow(element, row.id, this.send);
        kept.set(row.id, { signature, element });
        return element;
      });
      this.kept = kept;
      const unchanged = rows.length === this.body.children.length && rows.every((row, index) => row === this.body.children[index]);
      if (!unchanged) this.body.replaceChildren(...rows);
    }
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
    const view = this.model.get("window");
    const id = row.dataset.id;
    const focus = (target) => target?.dataset?.id && target.focus();
    if (event.key in NAVIGATION) {
      const target = NAVIGATION[event.key] > 0 ? row.nextElementSibling : row.previousElementSibling;
      focus(target);
      if (event.shiftKey && target?.dataset?.id) this.send({ type: "range", id: target.dataset.id });
    } else if (event.key === "Home") focus(this.body.firstElementChild);
    else if (event.key === "End") focus(this.body.lastElementChild);
    else if (event.key === "PageDown" && view.page + 1 < view.pages) this.send({ type: "page", page: view.page + 1 });
    else if (event.key === "PageUp" && view.page > 0) this.send({ type: "page", page: view.page - 1 });
    else if (event.key === " ") this.send({ type: event.shiftKey ? "range" : "toggle", id });
    else if (event.key === "Enter") this.send({ type: "open", id });
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) this.send({ type: "select_page" });
    else return;
    event.preventDefault();
  }
}

function render({ model, el }) {
  const table = new Table(model, el);
  const show = () => table.show();
  model.on("change:window", show);
  show();
  return () => model.off("change:window", show);
}

export default { render };
