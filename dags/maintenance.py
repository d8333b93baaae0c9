from airflow_dags import maintenance_dags

globals().update(maintenance_dags(__file__))
