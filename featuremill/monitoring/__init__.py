"""Drift: how far a day's snapshot and predictions are from those of a reference day, column by column."""
