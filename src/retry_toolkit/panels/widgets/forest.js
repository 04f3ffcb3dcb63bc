// A forest of rows that Python drew. Trees are folded here; what is not there yet is asked for.

const ROW = 28;
const HEAD = 28;
const EDGE = 24;
const GAP = 8;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 };

async function inflate(view) {
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function render({ model, el }) {
  const root = make("div", { class: "fd fd-forest" });
  const folded = new Set();
  let drawing = null;
  let rows = [];
  let turn = 0;

  const idOf = (row) => row.dataset.id;
  const hidden = (row) => row.getAttribute("display") === "none";
  const visible = () => rows.filter((row) => !hidden(row));
  const isOpen = (row) => row.dataset.fold === "opened" || (row.dataset.fold === "here" && !folded.has(idOf(row)));

  /** Rows of open trees one under the other, with their edges as long as the way is. */
  function arrange() {
    const tops = [];
    let y = HEAD;
    rows.forEach((row, index) => {
      const from = row.dataset.from;
      const hide = from !== undefined && (tops[from] === null || folded.has(idOf(rows[from])));
      tops[index] = hide ? null : y;
      if (hide) row.setAttribute("display", "none");
      else row.removeAttribute("display");
      if (row.dataset.fold) row.setAttribute("aria-expanded", String(isOpen(row)));
      if (hide) return;
      row.setAttribute("transform", `translate(0 ${y})`);
      const edge = from === undefined ? null : row.querySelector(":scope > .fd-tree-edge");
      edge?.setAttribute("d", edge.getAttribute("d").replace(/^M(\S+) [^V]+/, `M$1 ${tops[from] - y + EDGE}`));
      y += ROW;
    });
    drawing.setAttribute("height", y + 4);
    drawing.setAttribute("viewBox", `0 0 ${drawing.getAttribute("width")} ${y + 4}`);
  }

  /** Python cuts names by an estimate, and fonts differ: what would run into the next column is cut once more. */
  function clip() {
    const place = (part) => Number(part.getAttribute("x"));
    const tooLong = rows.flatMap((row) => {
      const name = row.querySelector(".fd-tree-name");
      const mark = row.querySelector(".fd-tree-mark");
      const next = row.querySelector("tspan[x]");
      if (!name || !next || hidden(row)) return [];
      const used = mark ? mark.getComputedTextLength() + GAP : 0;
      const room = place(next) - place(name.parentNode) - GAP - used;
      return name.getComputedTextLength() > room ? [[name, room]] : [];
    });
    for (const [name, room] of tooLong) {
      const ellipsis = name.getComputedTextLength() / name.getNumberOfChars();
      let fits = name.getNumberOfChars() - 1;
      while (fits > 1 && name.getSubStringLength(0, fits) + 1.6 * ellipsis > room) fits -= 1;
      name.textContent = `${[...name.textContent.slice(0, fits)].filter((char) => !/^[\ud800-\udbff]$/.test(char)).join("")}…`;
    }
  }

  function describe(row) {
    const words = [...row.querySelectorAll("tspan")].map((part) => part.textContent).filter(Boolean);
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", Number(row.dataset.level) + 1);
    row.setAttribute("aria-label", words.join(", "));
    row.setAttribute("tabindex", "-1");
  }

  function mark() {
    const current = model.get("current");
    for (const row of rows) {
      row.classList.toggle("fd-current", idOf(row) === current);
      row.setAttribute("aria-selected", String(idOf(row) === current));
    }
  }

  /** One row can be reached by Tab: the one that was last, else the first. */
  function aim(row, focus) {
    for (const other of rows) if (other.getAttribute("tabindex") === "0") other.setAttribute("tabindex", "-1");
    row?.setAttribute("tabindex", "0");
    if (focus) row?.focus();
  }

  async function show() {
    const mine = ++turn;
    const view = model.get("drawing");
    const source = view.byteLength ? await inflate(view) : "";
    if (mine !== turn) return;
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const aimed = focused ?? rows.find((row) => row.getAttribute("tabindex") === "0")?.dataset.id;
    const { scrollTop, scrollLeft } = root;
    if (!source) {
      rows = [];
      root.replaceChildren();
      return;
    }
    drawing = parseDrawing(source);
    drawing.querySelector(":scope > title")?.remove();
    drawing.setAttribute("role", "tree");
    drawing.setAttribute("aria-label", model.get("label"));
    const head = drawing.querySelector(".fd-tree-head");
    head.setAttribute("aria-hidden", "true");
    rows = [...drawing.querySelectorAll(".fd-tree-row")];
    for (const part of drawing.querySelectorAll("[data-time]")) part.textContent = shortTime(part.dataset.time, model.get("language"));
    rows.forEach(describe);
    arrange();
    mark();
    root.replaceChildren(drawing);
    clip();
    root.scrollTop = scrollTop;
    root.scrollLeft = scrollLeft;
    pin();
    aim(rows.find((row) => idOf(row) === aimed && !hidden(row)) ?? rows[0], focused !== null);
  }

  const pin = () => drawing?.querySelector(".fd-tree-head").setAttribute("transform", `translate(0 ${root.scrollTop})`);

  function fold(row) {
    if (row.dataset.fold !== "here") {
      model.send({ toggle: idOf(row) });
      return;
    }
    if (folded.has(idOf(row))) folded.delete(idOf(row));
    else folded.add(idOf(row));
    arrange();
    clip();
    aim(row, true);
  }

  function sideways(row, inwards) {
    if (row.dataset.fold && isOpen(row) !== inwards) fold(row);
    else if (!inwards && row.dataset.from !== undefined) aim(rows[row.dataset.from], true);
    else if (inwards && row.dataset.fold) aim(visible()[visible().indexOf(row) + 1], true);
  }

  function move(event) {
    const row = event.target.closest("[data-id]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = visible();
    const at = all.indexOf(row);
    if (event.key === "Enter" || event.key === " ") model.send({ open: idOf(row) });
    else if (event.key === "ArrowRight") sideways(row, true);
    else if (event.key === "ArrowLeft") sideways(row, false);
    else if (event.key in STEPS) aim(all[Math.min(Math.max(at + STEPS[event.key], 0), all.length - 1)], true);
    else if (event.key === "Home") aim(all[0], true);
    else if (event.key === "End") aim(all.at(-1), true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function click(event) {
    const row = event.target.closest("[data-id]");
    if (!row) return;
    aim(row, true);
    if (event.target.closest(".fd-tree-fold")) fold(row);
    else model.send({ open: idOf(row) });
  }

  function save(message) {
    if (typeof message.save === "string") saveText(message.save, message.text, "image/svg+xml");
  }

  /** How wide a drawing would fit: asked for in steps, so that dragging a window asks seldom. */
  let asked = 0;
  const sizes = new ResizeObserver(() => {
    const width = Math.floor((root.clientWidth - 1) / 40) * 40;
    if (width > 0 && width !== asked) model.send({ width: (asked = width) });
    if (width > 0) clip();
  });
  sizes.observe(root);

  root.addEventListener("click", click);
  root.addEventListener("keydown", move);
  root.addEventListener("scroll", pin);
  model.on("change:drawing", show);
  model.on("change:current", mark);
  model.on("msg:custom", save);
  el.replaceChildren(root);
  show();
  return () => {
    sizes.disconnect();
    model.off("change:drawing", show);
    model.off("change:current", mark);
    model.off("msg:custom", save);
  };
}

export default { render };
