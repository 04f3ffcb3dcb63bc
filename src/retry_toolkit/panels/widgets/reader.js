// A window of lines: Python owns them and decides which are shown; here they are drawn, searched in sight and followed.

const CLOSE_TO_END = 24;
const TYPING_MS = 180;

/** A text with every occurrence of `query` marked, as nodes. */
function marked(text, query) {
  if (!query) return [text];
  const pattern = new RegExp(`(${query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`, "giu");
  return text.split(pattern).map((part, index) => (index % 2 ? make("mark", {}, part) : part));
}

function saveFile(name, bytes) {
  const link = make("a", { download: name });
  link.href = URL.createObjectURL(new Blob([bytes], { type: "text/plain;charset=utf-8" }));
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(link.href);
}

function render({ model, el }) {
  const root = make("section", { class: "fd fd-reader fd-fold" });
  const button = (name, cls = "fd-link") => make("button", { type: "button", class: cls, "data-do": name });
  const tools = make("div", { class: "fd-fold-tools" });
  const [whole, download, copy, reload] = ["whole", "download", "copy", "reload"].map((name) => button(name));
  tools.append(whole, download, copy, reload);
  const details = make("details");
  const title = make("h3");
  const summary = make("summary");
  summary.append(title);
  const bar = make("div", { class: "fd-reader-bar", role: "group" });
  const input = make("input", { type: "text", class: "fd-reader-search", spellcheck: "false", autocomplete: "off", maxlength: "200" });
  const count = make("span", { class: "fd-reader-count", role: "status" });
  const previous = button("previous", "fd-button fd-reader-step fd-reader-up");
  const next = button("next", "fd-button fd-reader-step fd-reader-down");
  const error = button("first_error", "fd-button fd-reader-error");
  const follow = button("follow", "fd-button fd-reader-follow");
  bar.append(input, count, previous, next, error, follow);
  const above = make("p", { class: "fd-muted fd-reader-more" });
  const pane = make("div", { class: "fd-reader-lines", role: "region", tabindex: "0" });
  const below = make("p", { class: "fd-muted fd-reader-more" });
  const empty = make("div", { class: "fd-muted fd-reader-empty", role: "status" });
  const notes = make("p", { class: "fd-muted fd-reader-notes" });
  details.append(summary, bar, above, pane, below, empty, notes);
  root.append(tools, details);
  remembered(details, () => model.get("window").fold ?? "reader");

  const ask = (action, value = null) => model.send({ action, value });
  let shownKey = null;
  let shownGoto = 0;
  let placed = false;
  let drawnQuery = "";
  let typing = null;

  const atEnd = () => pane.scrollHeight - pane.scrollTop - pane.clientHeight < CLOSE_TO_END;
  const toEnd = () => (pane.scrollTop = pane.scrollHeight);

  /** Where reading begins; before it is in the page nothing can be scrolled. */
  function place(view) {
    if (view.following) toEnd();
    else if (!placed && pane.clientHeight) pane.scrollTop = view.end ? pane.scrollHeight : 0;
    placed ||= pane.clientHeight > 0;
  }

  function row([number, mark, text, cut], words, query) {
    const line = make("div", { class: `fd-line fd-line-${mark || "plain"}`, "data-word": words[`mark_${mark}`] ?? "" });
    line.number = number;
    line.source = text;
    line.cut = cut ? ` ${words.cut}` : "";
    fillLine(line, query);
    return line;
  }

  function fillLine(line, query) {
    line.replaceChildren(...marked(line.source, query));
    if (line.cut) line.append(make("span", { class: "fd-muted" }, line.cut));
  }

  /** Lines that stay keep their elements, and with them the reader's place and selection. */
  function drawLines(view, words, query) {
    if (view.key !== shownKey || query !== drawnQuery || words !== drawLines.words) pane.replaceChildren();
    drawLines.words = words;
    const first = view.lines[0]?.[0] ?? 0;
    const last = view.lines.at(-1)?.[0] ?? -1;
    const anchor = [...pane.children].find((line) => line.offsetTop + line.offsetHeight > pane.scrollTop && line.number >= first && line.number <= last);
    const offset = anchor ? anchor.offsetTop - pane.scrollTop : 0;
    while (pane.firstChild && pane.firstChild.number < first) pane.firstChild.remove();
    while (pane.lastChild && pane.lastChild.number > last) pane.lastChild.remove();
    const [from, to] = pane.firstChild ? [pane.firstChild.number, pane.lastChild.number] : [Infinity, Infinity];
    pane.prepend(...view.lines.filter(([number]) => number < from).map((line) => row(line, words, query)));
    pane.append(...view.lines.filter(([number]) => from !== Infinity && number > to).map((line) => row(line, words, query)));
    if (anchor?.isConnected) pane.scrollTop = anchor.offsetTop - offset;
  }

  function goTo(view) {
    const [serial, number] = view.goto;
    for (const line of pane.querySelectorAll("[aria-current]")) line.removeAttribute("aria-current");
    const line = [...pane.children].find((each) => each.number === (view.found.number ?? number));
    line?.setAttribute("aria-current", "true");
    if (serial === shownGoto) return;
    shownGoto = serial;
    const target = [...pane.children].find((each) => each.number === number);
    if (!target) return;
    target.setAttribute("aria-current", "true");
    pane.scrollTop = target.offsetTop - pane.clientHeight / 3;
  }

  function more(place, action, words, name) {
    if (!words) return place.replaceChildren();
    place.replaceChildren(make("button", { type: "button", class: "fd-link", "data-do": action }, words), ...(name ? [` ${name}`] : []));
  }

  function show() {
    const view = model.get("window");
    const words = model.get("words");
    if (!view.key) return;
    root.lang = model.get("language");
    bar.setAttribute("aria-label", words.search_in);
    title.textContent = view.title;
    pane.setAttribute("aria-label", view.title);
    pane.classList.toggle("fd-reader-folded", view.folded);
    root.dataset.kind = view.kind;
    const fresh = view.key !== shownKey;
    // While it is read anew, what stands below stays where it is.
    empty.style.minHeight = view.busy && pane.offsetHeight ? `${pane.offsetHeight}px` : view.busy ? empty.style.minHeight : "";
    if (fresh) {
      input.value = "";
      placed = false;
    }
    input.placeholder = words.search;
    input.setAttribute("aria-label", words.search_in);
    for (const [each, name] of [[download, "download"], [copy, "copy"], [reload, "reload"]]) each.textContent = words[name];
    for (const [each, name] of [[previous, "previous"], [next, "next"]]) {
      each.title = words[name];
      each.setAttribute("aria-label", words[name]);
      each.disabled = view.found.count === 0;
    }
    const any = view.lines.length > 0;
    for (const each of [pane, copy, download]) each.hidden = !any;
    whole.hidden = !view.whole;
    whole.textContent = view.whole;
    reload.hidden = !view.reloads;
    bar.hidden = !(any || view.busy) || !view.searches;
    error.hidden = view.kind !== "log";
    error.disabled = view.errors === 0;
    error.textContent = view.errors ? words.first_error : words.no_error;
    follow.hidden = view.kind !== "log";
    follow.textContent = view.live ? words.follow : words.to_end;
    follow.setAttribute("aria-pressed", view.live && view.following ? "true" : "false");
    count.textContent = view.counted;
    const query = view.found.query;
    drawLines(view, words, query);
    drawnQuery = query;
    shownKey = view.key;
    more(above, "earlier", view.above, view.above_note);
    more(below, "later", view.below);
    empty.textContent = view.empty;
    empty.hidden = !view.empty;
    notes.textContent = view.notes;
    notes.hidden = !view.notes;
    place(view);
    goTo(view);
  }

  function type() {
    clearTimeout(typing);
    typing = setTimeout(() => ask("search", input.value), TYPING_MS);
  }

  const step = (by) => ask("step", by);
  const deeds = {
    previous: () => step(-1),
    next: () => step(1),
    follow: () => {
      ask("follow", true);
      toEnd();
    },
    copy: async () => {
      await copyText([...pane.children].map((line) => line.source).join("\n"));
      copy.textContent = model.get("words").copied;
      setTimeout(() => (copy.textContent = model.get("words").copy), 1500);
    },
  };

  root.addEventListener("click", (event) => {
    const pressed = event.target.closest("button[data-do]");
    if (!pressed || pressed.disabled) return;
    const name = pressed.dataset.do;
    (deeds[name] ?? (() => ask(name)))();
  });
  input.addEventListener("input", type);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      if (input.value !== model.get("window").found.query) ask("search", input.value);
      else step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && input.value) {
      input.value = "";
      ask("search", "");
    } else return;
    clearTimeout(typing);
    event.preventDefault();
    event.stopPropagation();
  });
  pane.addEventListener("scroll", () => {
    // A folded pane has no height: only the reader leaves the end.
    if (model.get("window").following && pane.clientHeight && !atEnd()) ask("follow", false);
  });
  details.addEventListener("toggle", () => details.open && model.get("window").following && toEnd());

  const receive = (content, buffers) => {
    if (content.file) saveFile(content.file, buffers[0]);
  };
  model.on("change:window", show);
  model.on("change:words", show);
  model.on("msg:custom", receive);
  el.replaceChildren(root);
  show();
  const seen = new ResizeObserver(() => model.get("window").key && place(model.get("window")));
  seen.observe(pane);
  return () => {
    seen.disconnect();
    model.off("change:window", show);
    model.off("change:words", show);
    model.off("msg:custom", receive);
  };
}

export default { render };
