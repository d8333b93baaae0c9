// Why the model says so: what each feature adds to its score (TreeSHAP), the largest first.

import { h, show } from "./dom.js";
import { exact, number, signed, value as shown } from "./format.js";

const LISTED = 12;

/**
 * The explanation of an answer: {version, outputs: [{name, bias, contributions: [[feature, number]], total}]}, the
 * largest contributions first; null if it has none. Of several outputs (classes, label values) each has its own.
 */
export function explanationOf({ explanation }) {
  if (!explanation?.contributions) return null;
  const { contributions, bias, model_version: version } = explanation;
  const nested = Object.values(contributions).some((entry) => entry !== null && typeof entry === "object");
  const output = (name, values, base) => {
    const listed = Object.entries(values ?? {})
      .filter(([, amount]) => typeof amount === "number" || typeof amount === "bigint")
      .map(([feature, amount]) => [feature, Number(amount)])
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const start = typeof base === "number" ? base : null;
    return { name, bias: start, contributions: listed, total: listed.reduce((sum, [, amount]) => sum + amount, start ?? 0) };
  };
  if (!nested) return { version, outputs: [output(null, contributions, bias)] };
  return { version, outputs: Object.entries(contributions).map(([name, values]) => output(name, values, bias?.[name])) };
}

const WHY_NOT = {
  unavailable: "the endpoint does not answer.",
  resting: "the endpoint did not answer lately and is left alone for some seconds.",
  slow: "the endpoint did not answer in time.",
  busy: "too many requests wait for the endpoint already.",
  "no-endpoint": "there is no endpoint; train and deploy a model first.",
  "no-model": "the pipeline has no label, so no model.",
  refused: "the endpoint does not take these features; its model is of another version of the pipeline.",
  "not-sent": "these features cannot be sent to the endpoint.",
};

/** Why an answer has no explanation. */
export const whyNot = ({ explanation_reason: reason }) => `The contributions cannot be had now: ${WHY_NOT[reason] ?? "the endpoint failed."}`;

/** The bars. `features`: the entity's values; `first`: the output to begin with, where there are several; `onshow` is told which one is shown. */
export function contributionBars(explanation, features, { first, binary, onshow }) {
  const holder = h("div", {});
  const draw = (output) => {
    show(holder, barsOf(output, features, binary));
    onshow(output);
  };
  const outputs = explanation.outputs;
  const begin = outputs.find((output) => output.name === String(first)) ?? outputs[0];
  draw(begin);
  if (outputs.length === 1) return holder;
  const choice = h("select", { id: "output", class: "field", onchange: (event) => draw(outputs[event.target.selectedIndex]) },
    outputs.map((output) => h("option", { selected: output === begin }, output.name)));
  return h("div", {}, h("p", { class: "choose" }, h("label", { for: "output" }, "For "), choice), holder);
}

function barsOf(output, features, binary) {
  // The rest is a row of its own, so one more than listed is shown as itself.
  const first = output.contributions.length === LISTED + 1 ? LISTED + 1 : LISTED;
  const listed = output.contributions.slice(0, first);
  const rest = output.contributions.slice(first);
  const others = rest.reduce((sum, [, amount]) => sum + amount, 0);
  const rows = [...listed.map(([name, amount]) => ({ name, amount, value: features[name] }))];
  if (rest.length) rows.push({ name: `${rest.length} others`, amount: others, other: true });
  const widest = Math.max(1e-9, ...rows.map(({ amount }) => Math.abs(amount)));
  return [
    h("table", { class: "contributions" },
      h("caption", { class: "visually-hidden" }, "What each feature adds to the score, the largest first"),
      h("colgroup", {}, h("col", { class: "col-name" }), h("col", {}), h("col", { class: "col-number" })),
      h("thead", {}, h("tr", { class: "visually-hidden" }, h("th", { scope: "col" }, "Feature and its value"), h("th", { scope: "col" }, "Bar"), h("th", { scope: "col" }, "Adds"))),
      h("tbody", {}, rows.map(({ name, amount, value, other }) =>
        h("tr", { class: amount < 0 ? "lowers" : "raises" },
          h("th", { scope: "row" },
            h("span", { class: other ? "quiet" : "contribution-name" }, name),
            other ? null : h("span", { class: "contribution-value", title: exact(value) }, shown(value).text)),
          h("td", { class: "contribution-cell" },
            h("span", { class: "contribution-bar", style: { "--size": Math.abs(amount) / widest } })),
          h("td", { class: "contribution-number", title: exact(amount) }, signed(amount)))))),
    output.bias === null ? null : h("p", { class: "sum" },
      "Base ", h("span", { class: "tabular" }, number(output.bias)), ` ${output.total < output.bias ? "−" : "+"} features `,
      h("span", { class: "tabular" }, number(Math.abs(output.total - output.bias))), " = score ",
      h("strong", { class: "tabular", title: exact(output.total) }, number(output.total)),
      binary ? h("span", { class: "quiet" }, " in log-odds, before calibration") : null),
    h("p", { class: "legend" },
      h("span", { class: "key raises" }, h("span", { class: "key-mark", "aria-hidden": "true" }), "raises"),
      h("span", { class: "key lowers" }, h("span", { class: "key-mark", "aria-hidden": "true" }), "lowers"),
      h("span", { class: "quiet" }, binary ? "the probability" : "the score")),
  ];
}
