// What only the browser knows of the page: whether it is in sight, when this browser left it last, and the title of its
// tab. It shows nothing.

/** Milliseconds of the last leave, or null: the store may be closed, empty, or hold anything. */
function lastLeft(key) {
  try {
    const left = Number(localStorage.getItem(key) ?? NaN);
    return Number.isSafeInteger(left) && left > 0 ? left : null;
  } catch {
    return null;
  }
}

function keepLeft(key) {
  try {
    localStorage.setItem(key, String(Date.now()));
  } catch {
    // Without a store every visit is the first.
  }
}

/** Beats every so many seconds while the page is in sight, and at once when it comes back into it too late. */
class Beat {
  constructor(send) {
    this.send = send;
    this.last = Date.now();
    this.seconds = 0;
  }

  set(seconds) {
    clearInterval(this.timer);
    this.seconds = seconds;
    this.last = Date.now();
    if (seconds > 0) this.timer = setInterval(() => this.look(), seconds * 1000);
  }

  look() {
    if (!this.seconds || document.hidden || Date.now() - this.last < this.seconds * 900) return;
    this.last = Date.now();
    this.send();
  }
}

function render({ model, el }) {
  const key = `retry_toolkit.left ${model.get("place")}`;
  const title = document.title;
  // JupyterLab has a title of its own: only a page that is the desk's alone may change it.
  const ours = document.getElementById("rendered_cells") !== null;
  const beat = new Beat(() => model.send({ beat: true }));
  let inSight = !document.hidden;

  const showTitle = () => {
    if (ours) document.title = model.get("title") || title;
  };
  const setBeat = () => beat.set(model.get("interval"));
  const leave = () => {
    if (inSight) keepLeft(key);
    inSight = false;
  };
  const look = () => {
    if (document.hidden) leave();
    inSight = !document.hidden;
    model.send({ visible: inSight });
    beat.look();
  };

  el.hidden = true;
  model.send({ left: lastLeft(key), visible: inSight });
  model.on("change:title", showTitle);
  model.on("change:interval", setBeat);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", leave);
  setBeat();
  showTitle();
  return () => {
    leave();
    beat.set(0);
    model.off("change:title", showTitle);
    model.off("change:interval", setBeat);
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("pagehide", leave);
    if (ours) document.title = title;
  };
}

export default { render };
