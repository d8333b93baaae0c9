"""Airflow DAGs made of pipeline files. A DAG file has two lines:

from airflow_dags import pipeline_dags
globals().update(pipeline_dags("credit_risk", __file__))
"""

from __future__ import annotations

from airflow_dags.building import maintenance_dags, pipeline_dags

__all__ = ["maintenance_dags", "pipeline_dags"]
