// Before the first paint: the colours chosen earlier, so that the page does not flash in the others.
"use strict";
(() => {
  try {
    const chosen = localStorage.getItem("featuremill.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be switched off: then the system's colours hold.
  }
})();
