from airflow_dags import pipeline_dags

globals().update(pipeline_dags("heart", __file__))
