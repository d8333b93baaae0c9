"""S3's REST API over buckets that are directories. No signature is checked; there are no versions, ACLs, policies."""
