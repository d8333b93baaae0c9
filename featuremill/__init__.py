"""Featuremill: raw CSV to point-in-time features, as parquet and Hive tables."""

__version__ = "0.1.0"
