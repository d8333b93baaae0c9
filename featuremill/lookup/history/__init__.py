"""Lookups into the past: what was served on any published day, read from the warehouse."""
