from airflow_dags import pipeline_dags

globals().update(pipeline_dags("credit_risk", __file__))
