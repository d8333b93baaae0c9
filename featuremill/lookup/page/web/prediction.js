// The prediction of an entity: what, how sure, where the decision lies, by which model.

import { add, h } from "./dom.js";
import { exact, number, percent, value as shown } from "./format.js";
import { datePlot, intervalScale } from "./plots.js";
import { remark } from "./states.js";

/** The panel for any task, told apart by the columns that are there. `model` and `label` are the overview's, or null. */
export function predictionPanel(prediction, { model, label, key }) {
  const panel = h("section", { class: "panel prediction", "aria-labelledby": "prediction-title" }, h("h2", { id: "prediction-title" }, "Prediction"));
  if (prediction === null || prediction === undefined) {
    panel.append(remark(`This ${key} was not scored: the pipeline has no accepted model yet, or the run of that day made no predictions.`));
    return panel;
  }
  // What is known of the served model says nothing about the prediction of another one.
  const known = model && model.version === prediction.model_version ? model : null;
  const what = label?.column ?? known?.label ?? "label";
  if (Array.isArray(prediction.labels)) add(panel, [ofManyLabels(prediction, what)]);
  else if (Array.isArray(prediction.probabilities)) add(panel, [ofClasses(prediction, what, known)]);
  else if ("probability" in prediction) add(panel, [binary(prediction, what, known)]);
  else add(panel, [regression(prediction, what, known)]);
  panel.append(h("dl", { class: "facts small" }, h("dt", {}, "Model version"), h("dd", { class: "mono" }, prediction.model_version ?? "not stated")));
  return panel;
}

/** The one number that a history of predictions is about: {name, of(prediction), text, domain}; null if there is none. */
export function headline(prediction) {
  if (!prediction || Array.isArray(prediction.labels)) return null;
  if ("probability" in prediction) return { name: "probability", of: (p) => p?.probability ?? null, text: percent, domain: [0, 1] };
  return typeof prediction.predicted_label === "number" ? { name: "prediction", of: (p) => p?.predicted_label ?? null, text: number } : null;
}

/** In a few characters, for lists. */
export function inShort(prediction) {
  if (!prediction) return "not scored";
  if (Array.isArray(prediction.predicted_label)) return prediction.predicted_label.join(", ") || "none";
  if (Array.isArray(prediction.probabilities)) return `${prediction.predicted_label} · ${percent(prediction.probability)}`;
  if ("probability" in prediction) return percent(prediction.probability);
  return number(prediction.predicted_label);
}

function binary(prediction, what, model) {
  const { probability, lower, upper, predicted_label: decided } = prediction;
  const [negative, positive] = model?.classes?.length === 2 ? model.classes : [0, 1];
  const threshold = typeof model?.threshold === "number" ? model.threshold : null;
  const isPositive = String(decided) === String(positive);
  const side = isPositive ? "at or above the threshold" : "below the threshold";
  const reason = threshold === null ? "" : `${side} of ${percent(threshold)}`;
  return [
    h("div", { class: "headline" },
      h("p", { class: "figure", title: exact(probability) }, percent(probability)),
      h("p", { class: "figure-label" }, "probability that ", h("code", {}, `${what} = ${positive}`)),
    ),
    h("p", { class: isPositive ? "decision positive" : "decision" },
      h("span", { class: "decision-mark", "aria-hidden": "true" }, isPositive ? "▲" : "▽"),
      h("strong", {}, "Decision: ", h("code", {}, `${what} = ${decided ?? negative}`)), reason && h("span", { class: "quiet" }, `, ${reason}`)),
    intervalScale({
      value: probability, lower, upper, threshold, text: percent, probability: true,
      label: `Probability ${percent(probability)}, interval from ${percent(lower)} to ${percent(upper)}${threshold === null ? "" : `, threshold ${percent(threshold)}`}`,
    }),
    intervalNote(lower, upper, percent, model),
  ];
}

function intervalNote(lower, upper, text, model) {
  const coverage = model?.coverage?.stated;
  const measured = model?.coverage?.measured;
  return h("p", { class: "interval-note" },
    h("span", { class: "swatch", "aria-hidden": "true" }),
    coverage ? `${percent(coverage)} interval: ` : "Interval: ",
    h("strong", { title: `${exact(lower)} to ${exact(upper)}` }, `${text(lower)} to ${text(upper)}`),
    coverage && measured ? h("span", { class: "quiet" }, `; held ${percent(measured)} of the outcomes it was tried on`) : null,
  );
}

function ofClasses(prediction, what, model) {
  const classes = model?.classes?.length === prediction.probabilities.length ? model.classes : prediction.probabilities.map((_, index) => `class ${index + 1}`);
  const ranked = prediction.probabilities.map((probability, index) => ({ name: classes[index], probability })).sort((a, b) => b.probability - a.probability);
  return [
    h("div", { class: "headline" },
      h("p", { class: "figure text-figure" }, String(prediction.predicted_label)),
      h("p", { class: "figure-label" }, "predicted ", h("code", {}, what), `, with a probability of ${percent(prediction.probability)}`)),
    bars(ranked.map(({ name, probability }) => ({ name, probability, chosen: String(name) === String(prediction.predicted_label) }))),
    intervalNote(prediction.lower, prediction.upper, percent, model),
  ];
}

function ofManyLabels(prediction, what) {
  const chosen = new Set(prediction.predicted_label ?? []);
  const ranked = prediction.labels
    .map((name, index) => ({ name, probability: prediction.probabilities[index], lower: prediction.lower?.[index], upper: prediction.upper?.[index], chosen: chosen.has(name) }))
    .sort((a, b) => b.probability - a.probability);
  const shownFirst = ranked.slice(0, 12);
  const rest = ranked.slice(12);
  return [
    h("div", { class: "headline" },
      h("p", { class: "figure text-figure" }, chosen.size ? [...chosen].join(", ") : "none"),
      h("p", { class: "figure-label" }, "predicted ", h("code", {}, what), `: ${chosen.size} of ${ranked.length} values at or above their thresholds`)),
    bars(shownFirst),
    rest.length ? h("details", {}, h("summary", {}, `${rest.length} more values`), bars(rest)) : null,
  ];
}

function bars(rows) {
  return h("ul", { class: "bars" },
    rows.map(({ name, probability, lower, upper, chosen }) =>
      h("li", { class: chosen ? "bar-row chosen" : "bar-row", title: lower === undefined ? exact(probability) : `${exact(probability)}, interval ${exact(lower)} to ${exact(upper)}` },
        h("span", { class: "bar-name" }, String(name), chosen && h("span", { class: "visually-hidden" }, ", predicted")),
        h("span", { class: "bar-track" }, h("span", { class: "bar-fill", style: { "--share": probability } })),
        h("span", { class: "bar-number" }, percent(probability)))));
}

function regression(prediction, what, model) {
  const { predicted_label: predicted, lower, upper } = prediction;
  return [
    h("div", { class: "headline" },
      h("p", { class: "figure", title: exact(predicted) }, shown(predicted).text),
      h("p", { class: "figure-label" }, "predicted ", h("code", {}, what))),
    typeof predicted === "number" && intervalScale({
      value: predicted, lower, upper, threshold: null, text: number, probability: false,
      label: `Prediction ${number(predicted)}, interval from ${number(lower)} to ${number(upper)}`,
    }),
    typeof lower === "number" ? intervalNote(lower, upper, number, model) : null,
  ];
}

/** The predictions of all published dates as a plot; null if there are fewer than two, or no number to plot. */
export function predictionHistory(entries, chosen, model) {
  const head = headline(entries.at(-1)?.prediction ?? entries.find((entry) => entry.prediction)?.prediction);
  const scored = head ? entries.filter((entry) => entry.prediction) : [];
  if (scored.length < 2) return null;
  const versions = new Set(scored.map((entry) => entry.prediction.model_version));
  const points = scored.map(({ ds, prediction }) => ({ ds, value: head.of(prediction), lower: prediction.lower, upper: prediction.upper }));
  const limit = head.domain && typeof model?.threshold === "number" && versions.size === 1 && versions.has(model.version) ? { value: model.threshold, text: "threshold" } : null;
  return h("div", { class: "prediction-history" },
    h("h3", {}, `Over ${scored.length} published dates`, versions.size > 1 && h("span", { class: "quiet" }, `, by ${versions.size} model versions`)),
    datePlot({
      points, text: head.text, chosen, domain: head.domain, limit, height: 140,
      label: `The ${head.name} over ${scored.length} dates, from ${head.text(points[0].value)} to ${head.text(points.at(-1).value)}`,
    }));
}
