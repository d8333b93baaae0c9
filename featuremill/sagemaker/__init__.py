"""SageMaker for pipelines: from a training partition to an endpoint that answers, on AWS or the local one alike.

    client, buckets     the connection; objects in S3
    names               what jobs, models and endpoints are called: by what they are
    requests            what is sent, as pure functions
    staging             a training partition -> the channels of a job
    training            submit once, wait, fetch the artefacts
    gate, scores        `accept`: thresholds, and the live model on the same rows; `champion` makes that fair
    refresh             deploy, verify, smoke-test, roll back; with endpoints, deployments, smoke, retirement
    records             the model registry: versions and events, append-only; `metric_tables` for SQL
    schedules           when a model is due
    batch, payloads     batch transform; rows out and predictions in
    wandb_logging       Weights & Biases, for those who ask for it

All can be run again after being cut off at any point: what is there is adopted, what is half done is finished.
"""
