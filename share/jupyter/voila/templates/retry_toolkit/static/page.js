// What the page does around the widgets: theme, language, the change from skeleton to dashboard, and the word when it is cut off.
(() => {
  const LONGEST_WAIT_MS = 60000;
  const GRACE_MS = 3000;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chinese = (navigator.language || "").toLowerCase().startsWith("zh");
  const words = chinese
    ? { lost: "与面板的连接已断开。平台上的任务不受影响。", reload: "重新加载页面" }
    : { lost: "This page has lost its connection to the dashboard. The tasks on the platform go on.", reload: "Load the page again" };

  // anywidget gives a model two seconds to begin, and afterwards drops every change of it: on a busy machine that would
  // be a page that looks alive and stands still. Nothing else on this page sets such a timer.
  const PATIENCE_MS = 120_000;
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => timeout(Math.max(ms, PATIENCE_MS));

  function applyTheme() {
    const chosen = document.body.dataset.theme;
    const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
    document.body.dataset.jpThemeLight = String(!isDark);
    document.body.dataset.jpThemeName = isDark ? "JupyterLab Dark" : "JupyterLab Light";
    document.body.classList.toggle("theme-dark", isDark);
    document.body.classList.toggle("theme-light", !isDark);
  }

  function applyLanguage() {
    if (!chinese) return;
    document.documentElement.lang = "zh";
    for (const element of document.querySelectorAll("[data-zh]")) element.textContent = element.dataset.zh;
  }

  // Show the dashboard when something of it can be seen, so that no empty page flashes by.
  function showWhenDrawn(cells) {
    const drawn = () =>
      [...cells.querySelectorAll(".jupyter-widgets, .rt-notice, .jp-OutputArea-output")].some(
        (element) => element.offsetHeight > 0 && element.textContent.trim() !== "",
      );
    const observer = new MutationObserver(check);
    const giveUp = setTimeout(show, LONGEST_WAIT_MS);
    function show() {
      observer.disconnect();
      clearTimeout(giveUp);
      document.getElementById("rt-skeleton")?.remove();
      document.body.classList.add("rt-ready");
      window.dispatchEvent(new Event("resize"));
      watchConnection();
    }
    function check() {
      if (drawn()) show();
    }
    observer.observe(cells, { childList: true, subtree: true, characterData: true });
    check();
  }

  // A page without its kernel looks alive and does nothing: say so, once the short breaks of a reconnection are over.
  function watchConnection() {
    const kernel = window.jupyterapp?.widgetManager?.kernel;
    if (!kernel) return setTimeout(watchConnection, 250);
    let timer = 0;
    const update = () => {
      clearTimeout(timer);
      const lost = kernel.connectionStatus !== "connected" || kernel.status === "dead";
      if (!lost) document.getElementById("rt-lost")?.remove();
      else timer = setTimeout(sayLost, GRACE_MS);
    };
    kernel.connectionStatusChanged.connect(update);
    kernel.statusChanged.connect(update);
    update();
  }

  function sayLost() {
    if (document.getElementById("rt-lost")) return;
    const bar = document.createElement("div");
    bar.id = "rt-lost";
    bar.setAttribute("role", "alert");
    const button = document.createElement("button");
    button.textContent = words.reload;
    button.addEventListener("click", () => location.reload());
    bar.append(words.lost, button);
    document.body.append(bar);
  }

  // Called by Voilà: the first every few seconds while a cell runs, the second once its own start is over.
  window.voila_heartbeat = () => {};
  window.voila_finish = () => {};

  document.addEventListener("DOMContentLoaded", () => {
    const cells = document.getElementById("rendered_cells");
    if (cells) showWhenDrawn(cells);
  });
  // The skeleton arrives long before the document is complete.
  const early = new MutationObserver(() => {
    if (!document.getElementById("rt-skeleton")) return;
    early.disconnect();
    applyTheme();
    applyLanguage();
  });
  early.observe(document.documentElement, { childList: true, subtree: true });
  dark.addEventListener("change", applyTheme);
})();
