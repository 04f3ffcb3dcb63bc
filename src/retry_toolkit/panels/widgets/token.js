// A field for a secret: its value leaves as one message and is never written to the model.

function render({ model, el }) {
  const form = make("form", { class: "fd fd-token", autocomplete: "off" });
  const label = make("label");
  const name = make("span");
  const field = make("input", { type: "password", autocomplete: "off", spellcheck: "false" });
  const button = make("button", { type: "submit", class: "fd-button" });
  const hint = make("p", { class: "fd-muted" });
  label.append(name, field);
  form.append(label, button, hint);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value) model.send({ token: field.value });
    field.value = "";
  });
  const show = () => {
    name.textContent = model.get("label");
    button.textContent = model.get("button");
    hint.textContent = model.get("hint");
    button.disabled = model.get("busy");
  };
  model.on("change", show);
  el.replaceChildren(form);
  show();
  return () => model.off("change", show);
}

export default { render };
