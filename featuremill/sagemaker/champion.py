"""The live model's side of a comparison, as honest as the new model's.

Small data and one_vs_rest are judged by folds: the new model's predictions for a row come from a model that did not see
it, while the final live model may have learned from that very row. Held against each other, no new model would ever be
good enough. So for rows that judged the live model when it was trained, its predictions of then are taken: those were
made without having seen the row. Rows that it never met are scored by it now.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featuremill.sagemaker.gate import Scorer
from featuremill.sagemaker.scores import Predictions

PREDICTION_COLUMNS = ("predicted_label", "probability", "labels", "probabilities", "lower", "upper")


def champion(score: Scorer, judged: pa.Table | None, key: str | None) -> Scorer:
    """A scorer that takes recorded predictions where there are any.

    `score`: the live model. `judged`: its validation.parquet, with the column `key` that tells one row from another and
    the prediction columns; None, or without that column: every row is scored now.
    """
    if judged is None or key is None or key not in judged.column_names:
        return score

    def scored(rows: pa.Table) -> Predictions:
        if key not in rows.column_names:
            return score(rows)
        place = pc.index_in(rows.column(key).cast(judged.schema.field(key).type), judged.column(key).combine_chunks())
        known = np.asarray(place.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        # An empty table too: it tells the classes, and the types of the columns.
        fresh = score(rows.filter(pa.array(~known)))
        names = [name for name in PREDICTION_COLUMNS if name in fresh.table.column_names]
        then = judged.select(names).take(place.drop_null()).cast(fresh.table.select(names).schema)
        both = pa.concat_tables([then, fresh.table.select(names)])
        order = np.empty(len(known), dtype=np.int64)
        order[np.flatnonzero(known)] = np.arange(int(known.sum()))
        order[np.flatnonzero(~known)] = np.arange(int(known.sum()), len(known))
        return Predictions(both.take(pa.array(order)), fresh.classes)

    return scored
