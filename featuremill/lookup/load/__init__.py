"""Sending load: see `featuremill.lookup.loadtest`."""
