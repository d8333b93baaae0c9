"""The requests that are sent to SageMaker, as pure functions: settings and names in, a dictionary for boto3 out."""
