// The filter bar: inputs that follow Python, and changes that go there one at a time. Times are the viewer's own here
// and UTC in every message.

/** What a datetime-local input shows of an ISO instant, in the viewer's zone. */
function localInput(iso) {
  if (!iso) return "";
  const time = new Date(iso);
  if (Number.isNaN(time.valueOf())) return "";
  const two = (number) => String(number).padStart(2, "0");
  const year = String(time.getFullYear()).padStart(4, "0");
  return `${year}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** The instant that a datetime-local input names, as ISO in UTC; null where it names none. */
function instantOf(value) {
  const time = new Date(value);
  return value && !Number.isNaN(time.valueOf()) ? time.toISOString() : null;
}

class FilterBar {
  constructor(model, el) {
    this.model = model;
    this.fields = new Map();
    this.unsent = new Map();
    this.sent = 0;
    this.ids = 0;
    this.open = false;
    this.root = make("div", { class: "fd fd-filters", role: "search" });
    this.folded = make("div", { class: "fd-filters-more", id: `fd-folded-${crypto.getRandomValues(new Uint32Array(1))[0]}`, hidden: true });
    this.search = this.labelled("input", "fd-field-text", { type: "text", maxlength: 300, spellcheck: "false", autocomplete: "off" });
    this.search.input.addEventListener("input", () => this.say("text", this.search.input.value));
    this.from = this.moment("since");
    this.to = this.moment("until");
    this.check = make("input", { type: "checkbox" });
    this.checkLabel = make("span");
    const check = make("label", { class: "fd-check" });
    check.append(this.check, this.checkLabel);
    this.check.addEventListener("change", () => this.say("retryable_only", this.check.checked));
    this.more = make("button", { type: "button", class: "fd-button fd-quiet fd-more", "aria-controls": this.folded.id });
    this.more.addEventListener("click", () => this.fold(!this.open));
    this.end = make("div", { class: "fd-filters-end" });
    this.end.append(check, this.more);
    const row = make("div", { class: "fd-filters-row" });
    row.append(this.search.field, this.end);
    this.root.append(row, this.folded);
    el.replaceChildren(this.root);
  }

  /** An input with its name above it. */
  labelled(tag, cls, attributes = {}) {
    this.ids += 1;
    const id = `${this.folded.id}-${this.ids}`;
    const field = make("div", { class: `fd-field ${cls}` });
    const name = make("label", { class: "fd-field-name", for: id });
    const input = make(tag, { id, ...attributes });
    field.append(name, input);
    return { field, name, input };
  }

  moment(name) {
    const field = this.labelled("input", "fd-field-moment", { type: "datetime-local", max: "9998-12-31T23:59" });
    field.input.addEventListener("change", () => this.say(name, instantOf(field.input.value)));
    return field;
  }

  /** One message at a time: what is typed while Python works on the last one is sent as one when it is done. */
  say(name, value) {
    this.unsent.delete(name);
    this.unsent.set(name, value);
    this.flush();
  }

  flush() {
    if (this.unsent.size === 0 || this.sent > this.model.get("bar").heard) return;
    const [name, value] = this.unsent.entries().next().value;
    this.unsent.delete(name);
    this.sent = this.model.get("bar").heard + 1;
    this.model.send({ name, value, serial: this.sent });
  }

  fold(open) {
    this.open = open;
    this.folded.hidden = !open;
    this.more.setAttribute("aria-expanded", String(open));
  }

  show() {
    const bar = this.model.get("bar");
    if (!bar.labels) return;
    this.root.lang = bar.language;
    this.root.setAttribute("aria-label", bar.labels.filters);
    this.search.name.textContent = bar.labels.text;
    this.search.input.placeholder = bar.labels.text_hint;
    this.from.name.textContent = bar.labels.since;
    this.to.name.textContent = bar.labels.until;
    this.checkLabel.textContent = bar.labels.retryable_only;
    this.more.textContent = bar.labels.more;
    this.more.setAttribute("aria-expanded", String(this.open));
    for (const field of bar.fields) this.showField(field);
    if (!this.from.field.isConnected) this.folded.append(this.from.field, this.to.field);
    this.follow(bar);
    this.flush();
  }

  /** Inputs show what Python has, unless something newer is on its way. */
  follow(bar) {
    if (this.unsent.size || this.sent > bar.heard) return;
    if (this.search.input.value.trim() !== bar.text.trim()) this.search.input.value = bar.text;
    this.check.checked = bar.retryable_only;
    for (const [field, iso] of [[this.from, bar.since], [this.to, bar.until]]) {
      const value = localInput(iso);
      if (field.input.value !== value && document.activeElement !== field.input) field.input.value = value;
    }
  }

  showField(field) {
    let shown = this.fields.get(field.name);
    if (!shown) {
      shown = this.labelled("select", `fd-field-${field.name}`);
      shown.input.addEventListener("change", () => this.chose(field.name, shown.input.value));
      this.fields.set(field.name, shown);
      if (field.folded) this.folded.append(shown.field);
      else this.end.before(shown.field);
    }
    shown.name.textContent = field.label;
    const options = JSON.stringify(field.options);
    if (shown.options !== options) {
      shown.options = options;
      field.options.forEach(([value, label, closed], index) => {
        const option = shown.input.options[index] ?? shown.input.appendChild(make("option"));
        option.value = value;
        option.textContent = label;
        option.disabled = Boolean(closed);
      });
      shown.input.length = field.options.length;
    }
    if (!this.unsent.has(field.name)) shown.input.value = field.value;
  }

  chose(name, value) {
    if (name === "time" && value === "=custom") {
      this.fold(true);
      this.from.input.focus();
      return;
    }
    this.say(name, value);
  }
}

function render({ model, el }) {
  const bar = new FilterBar(model, el);
  const show = () => bar.show();
  model.on("change:bar", show);
  show();
  return () => model.off("change:bar", show);
}

export default { render };
