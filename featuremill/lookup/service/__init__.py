"""The HTTP service over the online store: one id, many ids, and what others add (see `routes`)."""
