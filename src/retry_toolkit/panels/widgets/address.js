// The filters in the address of our own page, and the button that copies it. In JupyterLab the address belongs to
// somebody else: there is nothing to read, to write or to copy there.

// Of several desks on one page, the first one has the address; each is a module of its own, so the window knows which.
const OWNER = Symbol.for("retry_toolkit.address");

function render({ model, el }) {
  const mine = document.body.dataset.voila === "voila" && !window[OWNER];
  const root = make("div", { class: "fd fd-address", hidden: !mine });
  el.replaceChildren(root);
  if (!mine) return undefined;
  window[OWNER] = model;

  let waiting = null;
  const note = make("span", { class: "fd-muted", role: "status" });
  const button = make("button", { type: "button", class: "fd-link" });
  root.append(note, button);
  button.addEventListener("click", async () => {
    write();
    await copyText(location.href);
    button.textContent = model.get("labels").copied;
    setTimeout(show, 1500);
  });
  const show = () => {
    const labels = model.get("labels");
    button.textContent = labels.copy_link ?? "";
    button.title = labels.copy_link_hint ?? "";
    note.textContent = labels.left_out ?? "";
  };
  // What stands behind the # never leaves the browser by itself: no log of a server and no other kernel sees it.
  const written = () => location.hash.slice(1);
  const read = () => model.send({ address: written() });
  const write = () => {
    clearTimeout(waiting);
    const query = model.get("query");
    if (query !== written()) history.replaceState(history.state, "", location.pathname + location.search + (query ? `#${query}` : ""));
  };
  // Browsers take only so many changes of the address a second, and a search changes with every key.
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(write, 250);
  };
  model.on("change:labels", show);
  model.on("change:query", soon);
  window.addEventListener("hashchange", read);
  show();
  if (written()) read();
  else write();
  return () => {
    delete window[OWNER];
    model.off("change:labels", show);
    clearTimeout(waiting);
    model.off("change:query", soon);
    window.removeEventListener("hashchange", read);
  };
}

export default { render };
