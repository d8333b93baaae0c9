"""The endpoint: bodies in several formats to columns, checked against the model's manifest; predictions to bodies."""
