// One pipeline: its state in full, what its features mean, how good its model is.

import { overview } from "./api.js";
import { breakable, h, show } from "./dom.js";
import { age, count, expectation, metricName, number, time } from "./format.js";
import { statusList } from "./home.js";
import { entityHash, recent } from "./search.js";
import { message, remark, waiting } from "./states.js";

export async function showPipeline(container, signal, { pipeline: name }) {
  const done = waiting(container);
  let found;
  try {
    const document = await overview(signal);
    found = document.pipelines.find(({ pipeline }) => pipeline === name);
    if (!found) {
      show(container, unknown(name, document.pipelines));
      return;
    }
  } finally {
    done();
  }
  show(container,
    h("nav", { class: "crumbs", "aria-label": "Where you are" }, h("a", { href: "#/" }, "Pipelines")),
    h("div", { class: "title-row" }, h("h1", {}, name), found.description && h("p", { class: "lead" }, found.description)),
    ids(found),
    h("div", { class: "grid-two" },
      h("section", { class: "panel", "aria-labelledby": "state-title" }, h("h2", { id: "state-title" }, "State"), statusList(found), origin(found)),
      h("div", { class: "stack" }, qualityPanel(found), modelPanel(found))),
    dictionary(found));
}

export function unknown(name, pipelines) {
  return message({
    mark: "?", title: `No pipeline ${name}`,
    text: pipelines.length ? "Published are:" : "Nothing is published yet.",
    actions: pipelines.map(({ pipeline }) => h("a", { class: "button", href: `#/${encodeURIComponent(pipeline)}` }, pipeline)),
  });
}

function ids({ pipeline, examples, key }) {
  const seen = recent().filter((entry) => entry.pipeline === pipeline).map(({ id }) => id);
  const listed = [...new Set([...seen, ...examples.map(String)])].slice(0, 6);
  if (!listed.length) return null;
  return h("p", { class: "examples" }, h("span", { class: "quiet" }, `${key} `), listed.map((id) => h("a", { class: "chip mono", href: entityHash(pipeline, id), title: id, "data-row": "" }, id)));
}

function origin({ owner, schedule, published_at: published, fingerprints, key, key_type: kind, model_version: version }) {
  const rows = [
    ["Id", h("span", {}, h("code", {}, key), `, ${kind}`)],
    ["Owner", owner], ["Schedule", schedule && h("code", {}, schedule)],
    ["Published", h("span", { title: time(published) }, age((Date.now() - Date.parse(published)) / 1000))],
    ["Model version", version && h("span", { class: "mono" }, version)],
    ["Snapshot", h("span", { class: "mono", title: fingerprints.snapshot }, fingerprints.snapshot)],
    ["Predictions", fingerprints.predictions && h("span", { class: "mono", title: fingerprints.predictions }, fingerprints.predictions)],
  ];
  return h("dl", { class: "facts small" }, rows.filter(([, value]) => value).map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

function qualityPanel({ quality }) {
  const panel = h("section", { class: "panel", "aria-labelledby": "quality-title" }, h("h2", { id: "quality-title" }, "Quality"));
  if (!quality) {
    panel.append(remark("No outcome of expectations is kept for this pipeline. A source with ", h("code", {}, "expect"), " in the pipeline file is checked in every run."));
    return panel;
  }
  for (const { source, ds, checked_at: checked, passed, total, failures } of quality.sources) {
    panel.append(
      h("div", { class: "check" },
        h("p", {},
          h("span", { class: passed === total ? "state good" : "state bad" }, h("span", { class: "state-mark", "aria-hidden": "true" }, passed === total ? "✓" : "✕"),
            h("span", {}, h("strong", {}, source), passed === total ? `: all ${total} expectations hold` : `: ${total - passed} of ${total} expectations failed`)),
          h("span", { class: "status-note", title: time(checked) }, `data of ${ds}, checked ${age((Date.now() - Date.parse(checked)) / 1000)}`)),
        failures.length ? h("ul", { class: "failures" }, failures.map(({ expectation: rule, columns, observed }) =>
          h("li", {}, columns.length ? h("code", {}, columns.join(", ")) : null, ` ${expectation(rule)}`, observed && h("span", { class: "status-note" }, observed)))) : null));
  }
  return panel;
}

function modelPanel({ model, model_version: version, label }) {
  const panel = h("section", { class: "panel", "aria-labelledby": "model-title" }, h("h2", { id: "model-title" }, "Model"));
  if (!version) {
    panel.append(remark("No model is live, so there are no predictions: features only."));
    return panel;
  }
  if (!model) {
    panel.append(remark("The artefact of ", h("code", {}, version), " is not on this machine, so its figures cannot be shown."));
    return panel;
  }
  const { validation, logistic, majority, rows, trained_ds: trained, threshold, task } = model;
  const metrics = Object.keys(validation);
  panel.append(
    h("p", {}, `Predicts `, h("code", {}, label?.column ?? model.label ?? "the label"), task ? ` (${task.replaceAll("_", " ")})` : "", rows ? `, trained on ${count(rows)} rows up to ${trained}.` : "."),
    metrics.length
      ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures of the model" }, h("table", { class: "metrics" },
          h("caption", { class: "visually-hidden" }, "Figures of the model beside those of simpler ones"),
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "On held-out rows"), h("th", { scope: "col" }, "Model"), h("th", { scope: "col" }, "Linear"), h("th", { scope: "col" }, "Majority"))),
          h("tbody", {}, metrics.map((metric) =>
            h("tr", {}, h("th", { scope: "row" }, metricName(metric)), [validation, logistic, majority].map((set) => h("td", {}, set[metric] === undefined ? "" : figure(set[metric]))))))))
      : remark("The artefact holds no figures."),
    typeof threshold === "number" ? h("p", { class: "quiet" }, `Decides at a probability of ${number(threshold)}. Precision, recall, F1 and accuracy are those of that decision.`) : null);
  return panel;
}

const figure = (value) => (Math.abs(value) < 10 ? value.toFixed(4) : number(value));

/** What the drift of the features was measured between. */
function compared({ reference }, ds) {
  if (!reference) return "rows that the model was judged on against those it learned from";
  if (reference.ds === ds) return "the day that the model learned from, against itself";
  return `the features served against those of ${reference.ds}`;
}

function dictionary({ features, drift, ds }) {
  const most = Math.max(...features.map(({ importance }) => importance ?? 0));
  const weighed = most > 0;
  const moved = features.some(({ psi }) => psi !== null);
  return h("section", { class: "panel wide", "aria-labelledby": "dictionary-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "dictionary-title" }, "Features"), h("span", { class: "quiet tally" }, count(features.length))),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of features" }, h("table", { class: "dictionary" },
      h("caption", { class: "visually-hidden" }, "Features with their types, weights and drift"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Feature"), h("th", { scope: "col", class: "of-type" }, "Type"),
        weighed && h("th", { scope: "col", class: "of-weight", title: "Mean size of the feature's contribution to the model's score" }, "Weight in the model"),
        moved && h("th", { scope: "col", class: "of-psi", title: `Population stability index: ${compared(drift, ds)}` }, "Drift, PSI"))),
      h("tbody", {}, features.map(({ name, type, description, importance, psi }) =>
        h("tr", {},
          h("th", { scope: "row" }, h("span", { class: "mono name" }, breakable(name)), description && h("p", { class: "description" }, description)),
          h("td", { class: "of-type mono" }, type),
          weighed && h("td", { class: "of-weight" }, importance === null ? null : [h("span", { class: "weight", style: { "--share": importance / most }, "aria-hidden": "true" }), h("span", { class: "visually-hidden" }, number(importance))]),
          moved && h("td", { class: "of-psi" }, psi === null ? null : psi >= drift.limit
            ? h("span", { class: "state warn" }, h("span", { class: "state-mark", "aria-hidden": "true" }, "!"), h("span", { title: String(psi) }, psi.toFixed(2)), h("span", { class: "visually-hidden" }, " shifted"))
            : h("span", { title: String(psi) }, psi.toFixed(2)))))))),
    moved ? remark(`Drift is a population stability index: ${compared(drift, ds)}. From ${number(drift.limit)} on a feature counts as shifted.`) : null);
}
