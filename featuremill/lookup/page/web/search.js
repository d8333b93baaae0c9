// The search: an id is looked up in all pipelines while it is typed.

import { lastOverview, overview, post } from "./api.js";
import { announce, h, show } from "./dom.js";
import { count } from "./format.js";
import { inShort } from "./prediction.js";

const PAUSE_MS = 70;
const PIPELINES_AT_MOST = 8;
const RECENT = "featuremill.recent";
const RECENT_AT_MOST = 6;

const FORMS = {
  int: /^(0|-?[1-9]\d{0,9})$/,
  bigint: /^(0|-?[1-9]\d{0,18})$/,
  double: /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i,
  boolean: /^(true|false)$/,
  date: /^\d{4}-\d{2}-\d{2}$/,
  timestamp: /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}/,
};

/** Whether a text can be an id of this pipeline at all; the service decides in the end. */
export const canBeId = (text, kind) => (FORMS[kind] ?? /^[^]{1,4096}$/).test(text);

export const entityHash = (pipeline, id) => `#/${encodeURIComponent(pipeline)}/${encodeURIComponent(id)}`;

/** What was looked at in this tab, newest first: [{pipeline, id}]. Ids may be people's, so not beyond the tab. */
export function recent() {
  try {
    return JSON.parse(sessionStorage.getItem(RECENT) ?? "[]");
  } catch {
    return [];
  }
}

export function remember(pipeline, id) {
  const others = recent().filter((entry) => entry.pipeline !== pipeline || entry.id !== id);
  try {
    sessionStorage.setItem(RECENT, JSON.stringify([{ pipeline, id }, ...others].slice(0, RECENT_AT_MOST)));
  } catch {
    // Without storage nothing is remembered.
  }
}

/** Wire the search field up. `here()` gives the pipeline that is looked at, or null. */
export function startSearch(here) {
  const form = document.getElementById("search");
  const field = document.getElementById("query");
  const list = document.getElementById("suggestions");
  let options = [];
  let active = -1;
  let asking = null;
  let timer = 0;
  let settled = Promise.resolve();

  const close = () => {
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const go = (hash) => {
    asking?.abort();
    clearTimeout(timer);
    close();
    field.value = "";
    field.blur();
    location.hash = hash;
  };
  const choose = (index) => {
    active = index;
    list.querySelectorAll("[role=option]").forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index >= 0) field.setAttribute("aria-activedescendant", `option-${index}`);
    else field.removeAttribute("aria-activedescendant");
  };
  const open = (found, hint) => {
    options = found;
    show(list,
      options.map((option, index) =>
        h("li", {
          id: `option-${index}`, role: "option", "aria-selected": "false", class: `option ${option.state ?? ""}`,
          onpointerdown: (event) => { event.preventDefault(); go(option.hash); },
          onpointermove: () => active !== index && choose(index),
        },
        h("span", { class: "option-main" }, h("span", { class: option.plain ? "option-plain" : "option-id" }, option.text), option.where && h("span", { class: "option-where" }, option.where)),
        h("span", { class: "option-note" }, option.note))),
      hint && h("li", { class: "hint", role: "presentation" }, hint));
    list.hidden = !options.length && !hint;
    field.setAttribute("aria-expanded", String(!list.hidden));
    choose(options.findIndex((option) => option.state === "found"));
  };

  const suggest = async () => {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const text = field.value.trim();
    let document;
    try {
      document = lastOverview() ?? (await overview(signal));
    } catch (error) {
      if (error.name !== "AbortError") open([], error.status === 0 ? "The service does not answer." : error.message);
      return;
    }
    const pipelines = inOrder(document.pipelines, here());
    if (!text) {
      open(untyped(pipelines), pipelines.length ? null : "Nothing is published yet.");
      return;
    }
    const { id, among } = scoped(text, pipelines);
    const named = pipelines.filter(({ pipeline }) => pipeline.includes(text.toLowerCase())).map(asPipeline);
    const asked = id ? among.filter(({ key_type: kind }) => canBeId(id, kind)).slice(0, PIPELINES_AT_MOST) : [];
    const found = await Promise.all(asked.map((pipeline) => lookUp(pipeline, id, signal)));
    if (signal.aborted) return;
    const known = found.filter(({ state }) => state === "found");
    open([...known, ...named], known.length ? null : hintFor(text, found, named, among));
    announce(known.length ? `${known.length} found` : "nothing found");
  };

  const later = () => {
    clearTimeout(timer);
    asking?.abort();
    settled = new Promise((done) => {
      timer = setTimeout(() => suggest().finally(done), field.value ? PAUSE_MS : 0);
    });
  };

  field.addEventListener("input", later);
  field.addEventListener("focus", () => {
    field.select();
    later();
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) later();
      else if (options.length) choose((active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (field.value) {
        field.value = "";
        later();
      } else {
        close();
        field.blur();
      }
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    // Whoever presses Enter at once means the answer to what is typed, not to the letters before.
    if (text) await settled;
    if (field.value.trim() !== text) return;
    const chosen = options[active] ?? (text ? options[0] : null);
    if (chosen) return go(chosen.hash);
    if (!text) return;
    const pipelines = inOrder(lastOverview()?.pipelines ?? [], here());
    const { id, among } = scoped(text, pipelines);
    if (among.length) go(entityHash(among[0].pipeline, id));
  });
  return { focus: () => field.focus() };
}

const inOrder = (pipelines, first) => [...pipelines].sort((a, b) => (b.pipeline === first) - (a.pipeline === first));

/** `credit_risk/5008804` asks that pipeline only. */
function scoped(text, pipelines) {
  const at = text.indexOf("/");
  const named = at > 0 ? pipelines.find(({ pipeline }) => pipeline === text.slice(0, at)) : undefined;
  return named ? { id: text.slice(at + 1), among: [named] } : { id: text, among: pipelines };
}

function untyped(pipelines) {
  const known = new Set(pipelines.map(({ pipeline }) => pipeline));
  const seen = recent().filter(({ pipeline }) => known.has(pipeline)).map(({ pipeline, id }) => ({ text: id, where: pipeline, note: "seen before", hash: entityHash(pipeline, id) }));
  return [...seen, ...pipelines.slice(0, PIPELINES_AT_MOST).map(asPipeline)];
}

const asPipeline = ({ pipeline, rows }) => ({ text: pipeline, plain: true, note: `pipeline, ${count(rows)} ids`, hash: `#/${encodeURIComponent(pipeline)}` });

async function lookUp({ pipeline }, id, signal) {
  try {
    const answer = await post(`/v1/${encodeURIComponent(pipeline)}/lookup`, { ids: [id] }, signal);
    const entity = answer.entities[0];
    if (!entity.found) return { state: "unknown", where: pipeline };
    return { state: "found", text: id, where: pipeline, note: inShort(entity.prediction), hash: entityHash(pipeline, id) };
  } catch (error) {
    return { state: error.status === 422 ? "malformed" : "failed", where: pipeline, why: error.message };
  }
}

function hintFor(text, found, named, among) {
  if (found.some(({ state }) => state === "failed")) return found.find(({ state }) => state === "failed").why;
  if (named.length) return null;
  const where = among.length === 1 ? among[0].pipeline : "any pipeline";
  return found.length ? `No id ${text.length > 40 ? `${text.slice(0, 39)}…` : text} in ${where}.` : `That cannot be an id in ${where}.`;
}
