"""Tags of resources, by ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.paging import page
from featuremill.sagemaker_local.protocol import operation
from featuremill.sagemaker_local.store import Store

if TYPE_CHECKING:
    from featuremill.sagemaker_local.context import Context

_KIND = "tags"
_MOST = 50
Tag = dict[str, str]


class Tags:
    """Tags of resources in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, arn: str, tags: list[Tag]) -> list[Tag]:
        """Set tags (a key that exists gets the new value); returns all tags. At most 50 a resource."""
        with self._store.lock:
            merged = {tag["Key"]: tag["Value"] for tag in [*self.of(arn), *tags]}
            if len(merged) > _MOST:
                raise ApiError("ResourceLimitExceeded", f"a resource takes at most {_MOST} tags, not {len(merged)}")
            if merged:
                self._store.put(_KIND, arn, {"tags": merged})
        return [{"Key": key, "Value": value} for key, value in merged.items()]

    def of(self, arn: str) -> list[Tag]:
        """All tags of a resource, as [{"Key": ..., "Value": ...}]."""
        document = self._store.get(_KIND, arn) or {"tags": {}}
        return [{"Key": key, "Value": value} for key, value in document["tags"].items()]

    def remove(self, arn: str, keys: list[str]) -> None:
        """Remove tags by key; keys that are not there are left alone."""
        with self._store.lock:
            kept = {tag["Key"]: tag["Value"] for tag in self.of(arn) if tag["Key"] not in keys}
            self._store.put(_KIND, arn, {"tags": kept})

    def forget(self, arn: str) -> None:
        """Remove all tags, when the resource is deleted."""
        self._store.delete(_KIND, arn)


@operation("AddTags")
def add_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """AddTags."""
    return {"Tags": context.tags.add(request["ResourceArn"], request["Tags"])}


@operation("ListTags")
def list_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """ListTags."""
    return page(context.tags.of(request["ResourceArn"]), request, "Tags", usual=_MOST)


@operation("DeleteTags")
def delete_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """DeleteTags."""
    context.tags.remove(request["ResourceArn"], request["TagKeys"])
    return {}
