"""Online stores for fleets of services: Redis and DynamoDB. See `featuremill.lookup.store` for what a store is.

    redis://[user:password@]host[:port][/database][?prefix=featuremill]          rediss:// for TLS
    dynamodb://REGION/TABLE[?endpoint=http://127.0.0.1:8000]

A publication is built under a name of its own, beside what is served. One write moves the pointer to it; whoever
opened the one before goes on reading that one, so the values of one id are never of two publications.
"""
