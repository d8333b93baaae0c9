"""A SageMaker on loopback: the AWS API over HTTP, with real `train` and `serve` processes behind it."""
