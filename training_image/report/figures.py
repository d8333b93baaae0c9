"""The report's figures as inline SVG. Equal numbers give equal bytes: ids have a constant salt, no date is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from training_image.evaluation.judging import Judged
from training_image.evaluation.metrics import reliability
from training_image.learning.targets import Floats

matplotlib.use("svg")

MODEL, OTHER, WEAK, BAD = "#1f5fa8", "#d9822b", "#9aa5b1", "#b3352f"
MOST_POINTS = 400
_STYLE: Any = {
    "svg.hashsalt": "training report",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#52606d",
    "axes.labelcolor": "#323f4b",
    "xtick.color": "#52606d",
    "ytick.color": "#52606d",
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def _svg(figure: Figure) -> str:
    """From `<svg` on: no XML prologue inside of HTML."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    text = out.getvalue()
    return text[text.index("<svg") :]


def _axes(width: float = 4.4, height: float = 3.9) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Few enough points for the eye, ends kept."""
    if len(x) <= MOST_POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(np.int64))
    return x[kept], y[kept]


def roc(judged: Judged, threshold: float | None) -> str:
    assert judged.probability is not None
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        false, true, _ = sk.roc_curve(judged.outcome, judged.probability)
        axes.plot([0, 1], [0, 1], color=WEAK, linestyle=":", label="chance")
        area = sk.auc(false, true)
        axes.plot(*_thin(false, true), color=MODEL, label=f"model, AUC {area:.3f}")
        if threshold is not None:
            point = _rates(judged)
            axes.plot(point[0], point[1], "o", color=OTHER, label=f"at threshold {threshold:.3g}")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(loc="lower right")
        return _svg(figure)


def _rates(judged: Judged) -> tuple[float, float]:
    positive = judged.outcome == 1
    return float(judged.predicted[~positive].mean()), float(judged.predicted[positive].mean())


def precision_recall(judged: Judged, threshold: float | None) -> str:
    assert judged.probability is not None
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        precision, recall, _ = sk.precision_recall_curve(judged.outcome, judged.probability)
        area = sk.average_precision_score(judged.outcome, judged.probability)
        base = float(judged.outcome.mean())
        axes.axhline(base, color=WEAK, linestyle=":", label=f"share of positives {base:.3g}")
        axes.plot(*_thin(recall, precision), color=MODEL, label=f"model, average precision {area:.3f}")
        if threshold is not None and judged.predicted.any():
            right = judged.outcome[judged.predicted == 1].mean()
            axes.plot(_rates(judged)[1], right, "o", color=OTHER, label=f"at threshold {threshold:.3g}")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
        axes.legend(loc="best")
        return _svg(figure)


def calibration(judged: Judged) -> str:
    """Groups of equally many rows; bars are two standard errors. The axes end where the groups do."""
    assert judged.probability is not None
    outcome = judged.outcome
    if judged.probabilities is not None:
        outcome = (judged.predicted == judged.outcome).astype(np.float64)
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        means, shares, counts = reliability(judged.probability, outcome)
        errors = 2 * np.sqrt(np.maximum(shares * (1 - shares), 1e-9) / counts)
        top = min(1.0, 1.15 * float(max(means.max(), (shares + errors).max(), 1e-3)))
        axes.plot([0, top], [0, top], color=WEAK, linestyle=":", label="as stated")
        axes.errorbar(means, shares, yerr=errors, color=MODEL, marker="o", markersize=4, label="tenths of the rows")
        axes.set(xlabel="probability stated", ylabel="share that came", xlim=(0, top), ylim=(0, top))
        axes.legend(loc="upper left")
        return _svg(figure)


def confusion(judged: Judged, classes: Sequence[str]) -> str:
    """Rows by what came and what was predicted; colour is the share of what came."""
    counts = sk.confusion_matrix(judged.outcome, judged.predicted, labels=list(range(len(classes))))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(3.6, 0.5 * len(classes) + 2)
    with matplotlib.rc_context(_STYLE | {"axes.grid": False}):
        figure, axes = _axes(size + 0.6, size)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if len(classes) <= 20:
            for row, column in np.ndindex(*counts.shape):
                colour = "white" if shares[row, column] > 0.55 else "#323f4b"
                text = f"{counts[row, column]:,}"
                if len(classes) <= 4:
                    text += f"\n{shares[row, column]:.1%}"
                axes.text(column, row, text, ha="center", va="center", color=colour)
        axes.set(xlabel="predicted", ylabel="came")
        axes.set_xticks(
            range(len(classes)), [str(each)[:18] for each in classes], rotation=30 if len(classes) > 4 else 0
        )
        axes.set_yticks(range(len(classes)), [str(each)[:18] for each in classes])
        return _svg(figure)


def bars(values: Mapping[str, float], label: str, most: int = 20, limits: Sequence[float] = ()) -> str:
    """The greatest values, named, with lines at the limits."""
    shown = list(values.items())[:most][::-1]
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(5.6, 0.9 + 0.26 * max(len(shown), 2))
        axes.barh([_plain(name) for name, _ in shown], [value for _, value in shown], color=MODEL, height=0.7)
        for limit in limits:
            axes.axvline(limit, color=BAD, linestyle=":")
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=label)
        return _svg(figure)


def _plain(name: str) -> str:
    """Matplotlib reads text between dollars as a formula."""
    return name.replace("$", r"\$")[:40]


def loss_by_round(losses: Sequence[float], rounds: int) -> str:
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        steps = np.arange(1, len(losses) + 1, dtype=np.float64)
        axes.plot(*_thin(steps, np.array(losses)), color=MODEL)
        axes.axvline(rounds, color=OTHER, linestyle=":", label=f"{rounds} rounds used")
        axes.set(xlabel="round", ylabel="loss on held-out rows")
        axes.legend(loc="upper right")
        return _svg(figure)


def predicted_against_outcome(judged: Judged) -> str:
    some = np.unique(np.linspace(0, len(judged.outcome) - 1, 2_000).astype(np.int64))
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        low = float(min(judged.outcome.min(), judged.predicted.min()))
        high = float(max(judged.outcome.max(), judged.predicted.max()))
        axes.plot([low, high], [low, high], color=WEAK, linestyle=":")
        axes.plot(judged.predicted[some], judged.outcome[some], ".", color=MODEL, markersize=3, alpha=0.5)
        axes.set(xlabel="predicted", ylabel="came")
        return _svg(figure)


def residuals(judged: Judged) -> str:
    error = judged.outcome - judged.predicted
    half = float(np.mean(judged.upper - judged.lower)) / 2
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        low, high = np.quantile(error, (0.002, 0.998))
        axes.hist(np.clip(error, low, high), bins=50, color=MODEL)
        for side in (-half, half):
            axes.axvline(side, color=OTHER, linestyle=":")
        axes.set(xlabel="came minus predicted; dotted: the interval", ylabel="rows")
        return _svg(figure)
