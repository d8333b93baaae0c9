// The page: which view the address asks for, and the keys that work everywhere.

import { announce, h, show } from "./dom.js";
import { showEntity } from "./entity.js";
import { showHome } from "./home.js";
import { showPipeline } from "./pipeline.js";
import { startSearch } from "./search.js";
import { failure } from "./states.js";

const content = document.getElementById("content");
const mill = document.getElementById("mill");
let current = { view: "home" };
let running = null;

/** What an address asks for. `#/credit_risk/5008804?as_of=2020-12-31`; an id may hold anything, also slashes. */
export function parseHash(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const at = path.indexOf("/");
  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const pipeline = decode(at < 0 ? path : path.slice(0, at));
  const id = at < 0 ? "" : decode(path.slice(at + 1));
  if (!pipeline) return { view: "home" };
  if (!id) return { view: "pipeline", pipeline };
  return { view: "entity", pipeline, id, date: new URLSearchParams(query).get("as_of") };
}

const VIEWS = { home: showHome, pipeline: showPipeline, entity: showEntity };
const TITLES = {
  home: () => "Featuremill",
  pipeline: ({ pipeline }) => `${pipeline} · Featuremill`,
  entity: ({ pipeline, id }) => `${id} · ${pipeline} · Featuremill`,
};

async function navigate() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const before = current;
  current = parseHash(location.hash);
  document.title = TITLES[current.view](current);
  const samePlace = before.pipeline === current.pipeline && before.id === current.id;
  if (!samePlace) window.scrollTo(0, 0);
  mill.classList.add("turning");
  try {
    await VIEWS[current.view](content, signal, current);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === undefined) console.error(error);
    show(content, failure(error, navigate));
    announce(error.message);
  } finally {
    if (!signal.aborted) mill.classList.remove("turning");
  }
}

// Keys

const search = startSearch(() => current.pipeline ?? null);
const isTyping = (target) => target.matches("input, select, textarea, [contenteditable]");

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key];
  if (act && act(event.target) !== false) event.preventDefault();
}

const KEYS = {
  "/": () => search.focus(),
  "?": () => openHelp(),
  Escape: () => goUp(),
  ArrowDown: (target) => step(target, 1),
  ArrowUp: (target) => step(target, -1),
  ArrowLeft: () => stepDate(-1),
  ArrowRight: () => stepDate(1),
};

function goUp() {
  const on = document.activeElement;
  if (on?.matches("[data-row][aria-expanded=true]")) on.click();
  else if (current.view === "entity") location.hash = `#/${encodeURIComponent(current.pipeline)}`;
  else if (current.view === "pipeline") location.hash = "#/";
  else return false;
}

/** From row to row. Before the first row the arrows scroll, as they do everywhere. */
function step(target, by) {
  const rows = [...content.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const at = rows.indexOf(target);
  if (!rows.length || (at < 0 && target !== document.body && target !== content)) return false;
  if (at < 0 && by < 0) return false;
  const next = rows[at + by];
  if (next) next.focus();
  else if (by < 0) {
    target.blur();
    window.scrollTo(0, 0);
  }
}

function stepDate(by) {
  const dates = [...content.querySelectorAll("[data-date]")];
  const at = dates.findIndex((date) => date.hasAttribute("aria-current"));
  const next = at < 0 ? undefined : dates[at + by];
  if (!next) return false;
  location.hash = next.getAttribute("href");
}

// Help and colours

const SHORTCUTS = [
  ["/", "Search an id"],
  ["↑ ↓", "Through suggestions, pipelines or features"],
  ["Enter", "Open what is marked; a feature's history"],
  ["← →", "The published date before or after"],
  ["Esc", "Close, clear, or one level up"],
  ["?", "This list"],
];

const help = document.getElementById("shortcuts");

function openHelp() {
  show(help,
    h("h2", { id: "shortcuts-title" }, "Keyboard"),
    h("dl", { class: "keys" }, SHORTCUTS.map(([keys, what]) => [h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)])),
    h("p", { class: "quiet" }, "Addresses can be kept and sent: ", h("code", {}, "/#/pipeline/id"), "."),
    h("button", { type: "button", class: "button primary", onclick: () => help.close() }, "Close"));
  help.showModal();
}

help.addEventListener("click", (event) => event.target === help && help.close());
document.getElementById("help").addEventListener("click", openHelp);

const THEMES = ["system", "light", "dark"];
const THEME_MARKS = { system: "◐", light: "☀", dark: "☾" };
const themeButton = document.getElementById("theme");

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  themeButton.textContent = THEME_MARKS[theme];
  themeButton.setAttribute("aria-label", `Colours: ${theme === "system" ? "like the system" : theme}`);
  themeButton.title = themeButton.getAttribute("aria-label");
}

themeButton.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem("featuremill.theme");
    else localStorage.setItem("featuremill.theme", next);
  } catch {
    // Without storage the choice holds until the page is left.
  }
  showTheme();
  announce(themeButton.getAttribute("aria-label"));
});

// The address belongs to the views, so the link for keyboards moves the focus itself.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});

showTheme();
addEventListener("keydown", onKey);
addEventListener("hashchange", navigate);
navigate();
