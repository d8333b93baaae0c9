"""Features and predictions by id: the online store, how it is published, and the HTTP service over it."""
