"""How good a model is, on rows it never saw: metrics, baselines, importances, drift."""
