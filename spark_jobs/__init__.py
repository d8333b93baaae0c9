"""The jobs that run on Spark: session, ingest, tables. The only room that imports PySpark."""
