// One entity: the prediction with its reasons, the features with their histories, on the newest or a chosen date.

import { entityPath, get, overview } from "./api.js";
import { announce, h, show } from "./dom.js";
import { age, duration, time } from "./format.js";
import { contributionBars, explanationOf, whyNot } from "./contributions.js";
import { featureTable } from "./features.js";
import { unknown } from "./pipeline.js";
import { headline, inShort, predictionHistory, predictionPanel } from "./prediction.js";
import { entityHash, remember } from "./search.js";
import { message, remark, waiting } from "./states.js";

const DATES_AT_MOST = 30;

/** Show an entity. `date` is one of the published ones, or null for the newest. */
export async function showEntity(container, signal, { pipeline: name, id, date }) {
  const done = waiting(container, 10);
  let document, answer;
  try {
    const path = entityPath(name, id) + (date ? `?as_of=${encodeURIComponent(date)}` : "");
    // Both at once: the overview only adds descriptions to what the lookup says.
    [document, answer] = await Promise.all([overview(signal), get(path, signal).catch((error) => (signal.aborted ? Promise.reject(error) : error))]);
  } finally {
    done();
  }
  const pipeline = document.pipelines.find((entry) => entry.pipeline === name);
  if (!pipeline) {
    show(container, unknown(name, document.pipelines));
    return;
  }
  if (answer instanceof Error) {
    if (![404, 422].includes(answer.status)) throw answer;
    show(container, crumbs(name), notThere(answer, pipeline, id, date));
    announce(answer.message);
    return;
  }
  const shownId = String(answer.id);
  remember(name, shownId);
  const page = build(answer, pipeline, document.offers, { name, id: shownId, date });
  show(container, page.elements);
  announce(`${name} ${shownId}: ${inShort(answer.prediction)}`);
  await Promise.all([page.fillWhy(signal), page.fillHistory(signal)]);
}

const crumbs = (name) =>
  h("nav", { class: "crumbs", "aria-label": "Where you are" },
    h("a", { href: "#/" }, "Pipelines"), h("span", { "aria-hidden": "true" }, "/"),
    h("a", { href: `#/${encodeURIComponent(name)}` }, name));

function build(answer, pipeline, offers, { name, id, date }) {
  const model = pipeline.model;
  const prediction = predictionPanel(answer.prediction, { model, label: pipeline.label, key: pipeline.key });
  if (answer.prediction && offers.live && !date) prediction.append(liveCheck(name, id, answer.prediction));
  const why = h("div", { class: "why-body" });
  const whyPanel = h("section", { class: "panel why", "aria-labelledby": "why-title" }, h("h2", { id: "why-title" }, "Why"), why);
  const table = featureTable(columnsOf(pipeline, answer.features), answer.features);
  const dates = h("nav", { class: "dates", "aria-label": "Published dates", hidden: true });
  const elements = [
    crumbs(name),
    h("div", { class: "title-row" },
      h("h1", { class: id.length > 24 ? "id long" : "id" }, id),
      h("p", { class: "lead" }, lead(answer, date)),
      h("p", { class: "title-tools" }, copyButton(name, id, date))),
    dates,
    h("div", { class: answer.prediction ? "grid-two" : "grid-one" }, prediction, answer.prediction && whyPanel),
    table.element,
    h("p", { class: "fingerprints quiet" }, "Fingerprints: snapshot ", h("code", {}, answer.fingerprints?.snapshot ?? "none"),
      answer.fingerprints?.predictions && [", predictions ", h("code", {}, answer.fingerprints.predictions)]),
  ];

  const fillWhy = async (signal) => {
    if (!answer.prediction) return;
    if (!offers.explain) {
      show(why, remark("This service does not explain predictions."));
      return;
    }
    const done = waiting(why, 7);
    try {
      const query = new URLSearchParams({ explain: "true", ...(date && { as_of: date }) });
      const explained = await explainPatiently(`${entityPath(name, id)}?${query}`, signal);
      done();
      const explanation = explanationOf(explained);
      const first = Array.isArray(answer.prediction.predicted_label) ? answer.prediction.predicted_label[0] : answer.prediction.predicted_label;
      if (!explanation) show(why, remark(whyNot(explained)), again(() => fillWhy(signal)));
      else {
        show(why,
          contributionBars(explanation, answer.features, { first, binary: isBinary(answer.prediction), onshow: table.showContributions }),
          otherModel(explanation.version, answer.prediction.model_version));
      }
    } catch (error) {
      done();
      if (signal.aborted) return;
      show(why, remark("The contributions cannot be had now: ", error.message), again(() => fillWhy(signal)));
    }
  };

  const fillHistory = async (signal) => {
    if (!offers.history) return;
    try {
      const entries = await historyOf(name, id, signal);
      const chosen = date ?? answer.ds;
      table.showHistory(entries, chosen);
      if (entries.length > 1 && (offers.as_of)) showDates(dates, entries, { name, id, chosen });
      const over = predictionHistory(entries, chosen, model);
      if (over) prediction.append(over);
      else if (entries.length === 1) prediction.append(remark("One date is published so far; the history begins with the next."));
    } catch (error) {
      // 404: what is served is not, or no longer, among the published dates; then there is nothing to show.
      if (!signal.aborted && error.status !== 404) prediction.append(remark("The history cannot be had now: ", error.message));
    }
  };
  return { elements, fillWhy, fillHistory };
}

const isBinary = (prediction) => "probability" in prediction && !Array.isArray(prediction.probabilities);

const again = (act) => h("p", { class: "actions" }, h("button", { class: "button", type: "button", onclick: act }, "Try again"));

/** Contributions come from the model that the endpoint runs now, which need not be the one of a stored prediction. */
function otherModel(explaining, predicting) {
  if (!explaining || explaining === predicting) return null;
  return remark("These are the contributions in ", h("code", {}, explaining), ", which runs now; the prediction was made by ", h("code", {}, predicting ?? "another model"), ".");
}

// An endpoint that was not asked for a while, or that is being replaced, is late once and then on time.
const TRY_AGAIN_MS = [500, 2000];
const PASSING = new Set(["slow", "busy", "resting", "unavailable"]);

async function explainPatiently(path, signal) {
  let answer = await get(path, signal);
  for (const pause of TRY_AGAIN_MS) {
    if (answer.explanation || !PASSING.has(answer.explanation_reason)) break;
    await new Promise((done) => setTimeout(done, pause));
    answer = await get(path, signal);
  }
  return answer;
}

/** A button that asks the endpoint for the prediction at this moment, and what it said beside what is stored. */
function liveCheck(name, id, stored) {
  const said = h("span", { class: "live-said", role: "status" });
  const button = h("button", {
    type: "button", class: "button quiet-button",
    onclick: async () => {
      button.disabled = true;
      said.textContent = "Asking";
      try {
        const answer = await get(`${entityPath(name, id)}?live=true`);
        const now = inShort(answer.prediction);
        said.textContent = answer.live ? `The endpoint says ${now}${now === inShort(stored) ? ", as stored." : `; stored is ${inShort(stored)}.`}` : `No live answer: ${answer.live_detail ?? answer.live_reason}.`;
      } catch (error) {
        said.textContent = error.message;
      }
      button.disabled = false;
    },
  }, "Ask the endpoint now");
  return h("p", { class: "live" }, button, said);
}

// Of the entity that is looked at, so that going from date to date asks once.
const HISTORY_MS = 30_000;
let keptHistory = { of: "", at: 0, entries: [] };

async function historyOf(name, id, signal) {
  const of = JSON.stringify([name, id]);
  if (keptHistory.of === of && performance.now() - keptHistory.at < HISTORY_MS) return keptHistory.entries;
  const entries = entriesOf(await get(`${entityPath(name, id)}/history?limit=${DATES_AT_MOST}`, signal));
  keptHistory = { of, at: performance.now(), entries };
  return entries;
}

/** The answer's features with what the pipeline says of them; features of an older day may have gone since. */
function columnsOf(pipeline, features) {
  const known = new Map(pipeline.features.map((column) => [column.name, column]));
  return Object.keys(features).map((name) => known.get(name) ?? { name, type: "of an earlier version of the pipeline", description: null });
}

/** The days of a history on which the entity was there, oldest first: [{ds, features, prediction}]. */
const entriesOf = ({ days }) => days.filter(({ found }) => found).toSorted((a, b) => (a.ds < b.ds ? -1 : 1));

function lead(answer, date) {
  const old = answer.freshness_seconds;
  return [
    date ? "As published for " : "Values of ", h("strong", {}, date ? answer.ds : time(answer.as_of)),
    h("span", { class: "quiet" }, date ? `, values of ${time(answer.as_of)}` : old >= 0 ? `, ${duration(old)} old` : `, ${age(old)}`),
  ];
}

function copyButton(name, id, date) {
  const url = `${location.origin}${entityPath(name, id)}${date ? `?as_of=${date}` : ""}`;
  const button = h("button", {
    type: "button", class: "button quiet-button", title: url,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(`curl ${url}`);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed to copy";
      }
      announce(button.textContent);
      setTimeout(() => { button.textContent = "Copy as curl"; }, 1600);
    },
  }, "Copy as curl");
  return [button, h("a", { class: "button quiet-button", href: url }, "JSON")];
}

function showDates(holder, entries, { name, id, chosen }) {
  const newest = entries.at(-1).ds;
  const head = headline(entries.at(-1).prediction);
  const link = (entry) => {
    const current = entry.ds === chosen;
    return h("a", {
      class: "date", href: entityHash(name, id) + (entry.ds === newest ? "" : `?as_of=${entry.ds}`), "aria-current": current ? "date" : null, "data-date": entry.ds,
      title: head && entry.prediction ? head.text(head.of(entry.prediction)) : null,
    }, entry.ds === newest ? [entry.ds, h("span", { class: "quiet" }, " newest")] : entry.ds);
  };
  show(holder, h("span", { class: "dates-label" }, "Published"), h("div", { class: "dates-list" }, entries.map(link)));
  holder.hidden = false;
  const list = holder.querySelector(".dates-list");
  const current = holder.querySelector("[aria-current]");
  if (current) list.scrollLeft = current.offsetLeft - list.clientWidth / 2 + current.clientWidth / 2;
  else list.scrollLeft = list.scrollWidth;
}

function notThere(error, pipeline, id, date) {
  const { pipeline: name, ds, examples, key } = pipeline;
  const malformed = error.status === 422;
  const short = id.length > 60 ? `${id.slice(0, 59)}…` : id;
  return message({
    mark: malformed ? "≠" : "∅",
    title: malformed ? "That cannot be an id" : `No ${key} ${short}`,
    text: malformed ? `${error.message}.` : `${name} has no such entity on ${date ?? ds}. An id appears once its first row has landed and the run of that day is published.`,
    more: examples.length ? h("p", { class: "examples" }, h("span", { class: "quiet" }, "There are, for example, "), examples.slice(0, 4).map((other) => h("a", { class: "chip mono", href: entityHash(name, String(other)) }, String(other)))) : null,
    actions: [date && h("a", { class: "button", href: entityHash(name, id) }, "The newest date"), h("a", { class: "button", href: `#/${encodeURIComponent(name)}` }, `About ${name}`)],
  });
}

