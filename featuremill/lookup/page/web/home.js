// All pipelines: is what they serve fresh, sound, and much like what the models learned from?

import { overview } from "./api.js";
import { h, show } from "./dom.js";
import { age, count, duration, number, time } from "./format.js";
import { entityHash } from "./search.js";
import { message, waiting } from "./states.js";

export async function showHome(container, signal) {
  const done = waiting(container);
  let document;
  try {
    document = await overview(signal);
  } finally {
    done();
  }
  if (!document.pipelines.length) {
    show(container, message({
      mark: "∅", title: "Nothing is published yet",
      text: "Once a pipeline has run, its features and predictions can be looked up here, by id.",
      more: h("div", { class: "steps" }, h("p", { class: "quiet" }, "In the project's folder:"), h("pre", {}, "featuremill sample credit_risk\nfeaturemill run credit_risk")),
    }));
    return;
  }
  const first = document.pipelines.find(({ examples }) => examples.length) ?? document.pipelines[0];
  show(container,
    h("div", { class: "title-row" },
      h("h1", {}, "Pipelines"),
      h("p", { class: "lead" }, "The newest features and predictions, by id.")),
    h("ul", { class: "cards" }, document.pipelines.map(card)),
    howToAsk(first));
}

function card(pipeline) {
  const { pipeline: name, description, examples, key } = pipeline;
  return h("li", { class: "card" },
    h("h2", { class: "card-title" }, h("a", { href: `#/${encodeURIComponent(name)}`, "data-row": "" }, name)),
    h("p", { class: "card-text" }, description ?? h("span", { class: "quiet" }, "No description.")),
    statusList(pipeline),
    examples.length
      ? h("p", { class: "examples" }, h("span", { class: "quiet" }, `Try a${/^[aeiou]/.test(key) ? "n" : ""} ${key} `), fitting(examples).map((id) => h("a", { class: "chip mono", href: entityHash(name, id), title: id }, id)))
      : null);
}

/** As many ids as fit into a line or so. */
export function fitting(ids, room = 36) {
  const texts = ids.map(String);
  let used = 0;
  return texts.filter((text, index) => index === 0 || (used += Math.min(text.length, 20) + 3) + Math.min(texts[0].length, 20) <= room);
}

/** Freshness, rows, quality, drift and model of a pipeline, each with its state in words. */
export function statusList(pipeline) {
  return h("dl", { class: "status" },
    [freshness(pipeline), rows(pipeline), quality(pipeline), drift(pipeline), model(pipeline)].map(({ name, state, text, note }) =>
      h("div", { class: "status-row" },
        h("dt", {}, name),
        h("dd", {}, h("span", { class: `state ${state}` }, stateMark(state), h("span", {}, text)), note && h("span", { class: "status-note" }, note)))));
}

const MARKS = { good: ["✓", "good: "], warn: ["!", "look at this: "], bad: ["✕", "failed: "], none: ["–", ""] };

function stateMark(state) {
  const [mark, word] = MARKS[state] ?? ["", ""];
  return mark ? [h("span", { class: "state-mark", "aria-hidden": "true" }, mark), word && h("span", { class: "visually-hidden" }, word)] : null;
}

function freshness({ as_of: asOf, freshness_seconds: seconds, late, schedule, published_at: published, ds }) {
  const text = seconds < 0 ? `of ${ds}` : `${duration(seconds)} old`;
  const note = `values of ${time(asOf)}${late ? `, older than ${schedule} allows` : ""}`;
  return { name: "Freshness", state: late ? "warn" : late === null ? "plain" : "good", text, note: h("span", { title: `published ${age((Date.now() - Date.parse(published)) / 1000)}, ${time(published)}` }, note) };
}

function rows({ rows: entities, predicted_rows: predicted }) {
  const note = predicted === entities ? "all with a prediction" : predicted ? `${count(predicted)} with a prediction` : "without predictions";
  return { name: "Rows", state: "plain", text: count(entities), note };
}

function quality({ quality: found }) {
  if (!found) return { name: "Quality", state: "none", text: "not checked", note: "no outcome is kept" };
  const { passed, total, sources } = found;
  const day = sources.map(({ ds }) => ds).sort().at(-1);
  if (passed === total) return { name: "Quality", state: "good", text: `${total} of ${total} hold`, note: `expectations on the data of ${day}` };
  return { name: "Quality", state: "bad", text: `${total - passed} of ${total} failed`, note: `expectations on the data of ${day}` };
}

function drift({ drift: found }) {
  if (!found) return { name: "Drift", state: "none", text: "not measured", note: null };
  const { shifted, features, furthest, limit } = found;
  const note = `${shifted ? "most" : "at most"} ${number(Number(furthest.psi.toPrecision(2)))} (${furthest.feature}); limit PSI ${number(limit)}`;
  return shifted
    ? { name: "Drift", state: "warn", text: `${shifted} of ${features} features shifted`, note }
    : { name: "Drift", state: "good", text: "none beyond the limit", note };
}

const HEADLINES = [["auc", "ROC AUC"], ["macro_auc", "macro AUC"], ["r2", "R²"], ["rmse", "RMSE"], ["accuracy", "accuracy"], ["logloss", "log loss"]];

function model({ model: found, model_version: version }) {
  if (!version) return { name: "Model", state: "none", text: "none live", note: null };
  const best = HEADLINES.find(([metric]) => found?.validation?.[metric] !== undefined);
  if (!best) return { name: "Model", state: "plain", text: "live", note: h("span", { class: "mono" }, version) };
  const [metric, name] = best;
  const baseline = found.logistic?.[metric];
  return {
    name: "Model", state: "plain", text: `${name} ${number(Number(found.validation[metric].toFixed(3)))}`,
    note: `${baseline === undefined ? "" : `${number(Number(baseline.toFixed(3)))} by a linear model; `}trained on ${found.trained_ds ?? "an unknown day"}`,
  };
}

function howToAsk({ pipeline, examples }) {
  const id = examples.length ? String(examples[0]) : "ID";
  return h("aside", { class: "ask" },
    h("h2", {}, "From a program"),
    h("pre", { tabindex: "0", "aria-label": "Command" }, h("span", { class: "prompt", "aria-hidden": "true" }, "$ "), `curl ${location.origin}/v1/${encodeURIComponent(pipeline)}/${encodeURIComponent(id)}`),
    h("p", { class: "quiet" }, "All of it is described in ", h("a", { href: "/openapi.json" }, "/openapi.json"), "; figures for Prometheus are in ", h("a", { href: "/metrics" }, "/metrics"), "."));
}
