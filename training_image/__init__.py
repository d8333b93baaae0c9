"""The SageMaker container: `train` makes a model from a channel, `serve` answers requests with it.

Stands alone: it imports nothing of the rest of the project. What others may rely on is `parameters` (what a training
job can be told), `artefact` (the files of a model) and `prediction` (rows in, predictions out).
"""
