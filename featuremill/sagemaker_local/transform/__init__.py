"""Batch transform: objects of a bucket through the containers of a model. Importing it registers the handlers.

The output of `<folder of S3Uri>/<rest>` is `<S3OutputPath>/<rest>.out`; it appears when it is whole. The first failed
record fails the job, and the FailureReason names object and records. A job that was in progress when the server ended
is done anew.

Not here, and refused with a message: RecordIO and TFRecord, augmented manifests, data capture of jobs, multi-model
containers.
"""

from featuremill.sagemaker_local.transform import handlers

__all__ = ["handlers"]
