// Shared by every widget: it is put in front of each widget's own module, because a widget is one module.

/** An element with attributes and text; text is only ever set as text. */
function make(tag, attributes = {}, text = null) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  if (text !== null) element.textContent = text;
  return element;
}

/** Short local time of an ISO instant: the clock today, the day and the clock otherwise. */
function shortTime(iso, language) {
  const time = new Date(iso);
  if (Number.isNaN(time.valueOf())) return "";
  const now = new Date();
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (time.toDateString() === now.toDateString()) {
    return new Intl.DateTimeFormat(language, { ...clock, second: "2-digit" }).format(time);
  }
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat(language, { ...year, month: "short", day: "2-digit", ...clock }).format(time);
}

/** The clock today, the day and the clock otherwise, both without seconds. */
function clockTime(iso, language) {
  const time = new Date(iso);
  if (Number.isNaN(time.valueOf())) return "";
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (time.toDateString() !== new Date().toDateString()) return shortTime(iso, language);
  return new Intl.DateTimeFormat(language, clock).format(time);
}

// The browser has no word for this, and it comes and goes long after Python spoke.
const JUST_NOW = { en: "just now", zh: "刚刚" };

/** How long ago an instant was, in the largest unit that says it. */
function relativeTime(iso, language) {
  const seconds = (new Date(iso).valueOf() - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  const found = units.find(([, size]) => Math.abs(seconds) >= size);
  if (!found) return JUST_NOW[language] ?? JUST_NOW.en;
  const [unit, size] = found;
  return new Intl.RelativeTimeFormat(language, { style: "short" }).format(Math.trunc(seconds / size), unit);
}

/** The text of an instant in one of its forms: `relative`, `clock`, or short. */
function shownTime(iso, language, form) {
  return ({ relative: relativeTime, clock: clockTime }[form] ?? shortTime)(iso, language);
}

/** Keep relative times below an element true; gives the function that ends it. */
function keepTimes(root) {
  const timer = setInterval(() => {
    for (const time of root.querySelectorAll('time[data-form="relative"]')) {
      const text = relativeTime(time.dateTime, time.closest("[lang]")?.lang);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 5000);
  return () => clearInterval(timer);
}

/** The same instant without doubt: local time with its zone, then UTC. */
function exactTime(iso, language) {
  const time = new Date(iso);
  if (Number.isNaN(time.valueOf())) return "";
  const local = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" }).format(time);
  return `${local} · ${time.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** Put text on the clipboard, also where the page is not a secure context. */
async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = make("textarea", { class: "fd-hidden-text", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Keep a part as its reader folded it, while the page is open; `name` says which part it is. */
function remembered(details, name, open = true) {
  const folds = (globalThis.fdFolds ??= new Map());
  details.open = folds.get(name()) ?? open;
  details.addEventListener("click", (event) => {
    // Only what the reader does is remembered; it happens after the click.
    if (event.target.closest("summary")?.parentElement === details) folds.set(name(), !details.open);
  });
}

const DRAWING = new Set(["svg", "g", "path", "rect", "circle", "text", "tspan", "title"]);

/** A drawing that Python made: parsed as SVG, never as HTML, and refused where it is not plain drawing. */
function parseDrawing(source) {
  const drawing = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
  for (const element of [drawing, ...drawing.querySelectorAll("*")]) {
    const foreign = element.getAttributeNames().some((name) => /^(on|href|xlink|style)/i.test(name));
    if (foreign || !DRAWING.has(element.localName)) throw new Error(`not a drawing: <${element.localName}>`);
  }
  return document.importNode(drawing, true);
}

/** Let the user save a text as a file. */
function saveText(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
