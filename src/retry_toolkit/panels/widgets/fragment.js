// Shows a tree of plain nodes from Python. A node is a string or [tag, attributes, children]; only these tags and
// attributes exist, text is only ever text, and updating keeps focus, scrolling and folding where they are.

const TAGS = new Set(
  ("div span p h2 h3 h4 ul ol li dl dt dd table caption thead tbody tr th td pre code button time details summary strong small section label input q progress select option").split(" "),
);
const ATTRIBUTES = new Set(
  ("class id role title tabindex scope colspan type datetime disabled lang for aria-label aria-labelledby aria-describedby aria-current " +
    "aria-pressed aria-live aria-hidden aria-busy aria-expanded data-key data-kind data-action data-value data-copies data-copies-text data-done data-stick data-checked data-reveal data-form data-chosen data-fold data-arrows data-brings data-scroll data-asks data-tells open " +
    "name placeholder autocomplete maxlength spellcheck value max").split(" "),
);

function matches(node, child) {
  if (typeof child === "string") return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === child[0] && node.dataset.key === child[1]["data-key"];
}

function build(child, language) {
  if (typeof child === "string") return document.createTextNode(child);
  const [tag, attributes, children] = child;
  if (!TAGS.has(tag)) throw new Error(`a fragment has no <${tag}>`);
  const element = document.createElement(tag);
  if ("open" in attributes) element.setAttribute("open", "");
  update(element, attributes, children, language);
  if (attributes["data-fold"]) remembered(element, () => element.dataset.fold, "open" in attributes);
  return element;
}

function update(element, attributes, children, language) {
  for (const name of element.getAttributeNames()) {
    if (name !== "open" && !(name in attributes)) element.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (!ATTRIBUTES.has(name)) throw new Error(`a fragment has no attribute ${name}`);
    if (name !== "open" && element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  if (element.localName === "input") {
    // A choice follows Python; what is typed is the user's, so a text is only set once.
    if (attributes.type !== "text") element.checked = "data-checked" in attributes;
    return;
  }
  if (element.localName === "time") {
    const iso = attributes.datetime;
    element.title = exactTime(iso, language);
    const text = shownTime(iso, language, attributes["data-form"]);
    if (element.textContent !== text) element.textContent = text;
    return;
  }
  fill(element, children, language);
  if (element.localName === "select" && element.value !== attributes["data-chosen"]) element.value = attributes["data-chosen"];
}

function fill(element, children, language) {
  const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
  children.forEach((child, index) => {
    const current = element.childNodes[index];
    if (!current) element.append(build(child, language));
    else if (!matches(current, child)) current.replaceWith(build(child, language));
    else if (typeof child !== "string") update(current, child[1], child[2], language);
    else if (current.data !== child) current.data = child;
  });
  while (element.childNodes.length > children.length) element.lastChild.remove();
  if (element.dataset.reveal && element.dataset.reveal !== element.revealed) reveal(element);
  if (element.dataset.brings && element.dataset.brings !== element.brought) bring(element);
  if (element.dataset.stick && atEnd) requestAnimationFrame(() => (element.scrollTop = element.scrollHeight));
}

/** Bring what was just opened into sight, once, where it lies below the page's edge. */
function reveal(element) {
  const before = element.revealed;
  element.revealed = element.dataset.reveal;
  requestAnimationFrame(() => {
    const { top } = element.getBoundingClientRect();
    if (top > window.innerHeight * 0.75 || (before && top < 0)) element.scrollIntoView({ block: "start", behavior: "smooth" });
  });
}

/** Scroll a box, and nothing but the box, so that one of its nodes is in sight: once, when it becomes this one. */
function bring(box) {
  box.brought = box.dataset.brings;
  requestAnimationFrame(() => {
    const node = box.querySelector(`[data-key="${CSS.escape(box.brought)}"]`);
    if (!node) return;
    const [inner, outer] = [node.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - box.clientHeight / 3;
  });
}

/** Arrows move among the buttons of a row of choices; which one Tab reaches is the chosen one. */
function moveAmong(event) {
  const row = event.target.closest("[data-arrows]");
  const buttons = row ? [...row.querySelectorAll("button:not(:disabled)")] : [];
  const at = buttons.indexOf(event.target.closest("button"));
  const places = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
  if (at < 0 || !(event.key in places)) return;
  buttons[places[event.key]]?.focus();
  event.preventDefault();
}

/**
 * The focus goes to a question that the reader asked for, and when it is answered back to what asked, or to what
 * came of it. It is only taken from where nothing else has it: a reader who went on meanwhile stays there.
 */
function followQuestions(root) {
  const told = () => new Set([...root.querySelectorAll("[data-tells]")].map((part) => part.dataset.tells));
  let [question, acted, back, known] = [null, false, null, new Set()];

  function land() {
    if (!back || document.activeElement !== document.body) return (back = null);
    const news = [...root.querySelectorAll("[data-tells]")].find((part) => !known.has(part.dataset.tells));
    const target = news ?? root.querySelector(`button[data-action="${CSS.escape(back)}"]:not(:disabled)`);
    if (!target) return;
    back = null;
    target.focus();
  }

  function follow(change) {
    const focus = document.activeElement;
    const inside = Boolean(question?.contains(focus));
    const before = told();
    const mine = focus === document.body || root.contains(focus);
    change();
    const now = root.querySelector("[data-asks]");
    if (now && now !== question && acted && mine) {
      acted = false;
      now.focus({ preventScroll: true });
      now.scrollIntoView({ block: "nearest" });
    } else if (!now && inside) [back, known] = [question.dataset.asks, before];
    question = now;
    if (back) land();
  }

  root.addEventListener("click", () => (acted = true));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && question?.contains(event.target)) question.querySelector('button[data-action="cancel"]')?.click();
  });
  return follow;
}

async function act(event, root, model) {
  const button = event.target.closest("button");
  if (!button || !root.contains(button) || button.disabled) return;
  const { action, value, copies, copiesText, done, scroll } = button.dataset;
  if (action) model.send({ action, value: value ?? null });
  if (scroll) document.querySelector(`.${CSS.escape(scroll)}`)?.scrollIntoView({ block: "start", behavior: "smooth" });
  if (!copies && !copiesText) return;
  await copyText(copiesText ?? root.querySelector(`[data-key="${CSS.escape(copies)}"]`)?.textContent ?? "");
  const word = button.textContent;
  button.textContent = done ?? word;
  setTimeout(() => (button.textContent = word), 1500);
}

function render({ model, el }) {
  const root = make("div", { class: "fd fd-fragment" });
  root.addEventListener("click", (event) => act(event, root, model));
  root.addEventListener("keydown", moveAmong);
  root.addEventListener("input", ({ target }) => {
    const { type, dataset, checked, value } = target;
    if (dataset.action) model.send({ action: dataset.action, value: { radio: dataset.value, checkbox: String(checked) }[type] ?? value });
  });
  const follow = followQuestions(root);
  const show = () => {
    root.lang = model.get("language");
    follow(() => fill(root, model.get("nodes"), model.get("language")));
  };
  model.on("change:nodes", show);
  model.on("change:language", show);
  el.replaceChildren(root);
  show();
  const letTimesGo = keepTimes(root);
  return () => {
    letTimesGo();
    model.off("change:nodes", show);
    model.off("change:language", show);
  };
}

export default { render };
