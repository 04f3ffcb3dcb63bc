// Shows a drawing that Python made.

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

function render({ model, el }) {
  const root = make("div", { class: "fd fd-lineage" });
  const nodes = () => [...root.querySelectorAll("[data-id]")];
  const open = (node) => node && model.send({ open: node.dataset.id });

  function show() {
    const source = model.get("svg");
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    root.replaceChildren(source ? parseDrawing(source) : make("p", { class: "fd-empty" }, model.get("empty")));
    if (focused) nodes().find((node) => node.dataset.id === focused)?.focus();
  }

  function move(event) {
    const all = nodes();
    const current = event.target.closest("[data-id]");
    if (!current) return;
    if (event.key === "Enter" || event.key === " ") open(current);
    else if (event.key in STEPS) all[all.indexOf(current) + STEPS[event.key]]?.focus();
    else if (event.key === "Home") all.at(0).focus();
    else if (event.key === "End") all.at(-1).focus();
    else return;
    event.preventDefault();
  }

  root.addEventListener("click", (event) => open(event.target.closest("[data-id]")));
  root.addEventListener("keydown", move);
  model.on("change:svg", show);
  model.on("change:empty", show);
  el.replaceChildren(root);
  show();
  return () => {
    model.off("change:svg", show);
    model.off("change:empty", show);
  };
}

export default { render };
