"""The service as AWS Lambda functions behind API Gateway: the same application, without a server.

    featuremill.lookup.lambda_.handlers.features       features and stored predictions
    featuremill.lookup.lambda_.handlers.predictions    what asks the endpoint: live, explain, predict

`scripts/package_lambda.sh` makes the zip of both.
"""
