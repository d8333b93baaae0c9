"""Who is told how starting gets on. Services start side by side: the calls come from several threads."""

from __future__ import annotations

from featuremill.services.records import ServiceStatus


class Watch:
    """Hears everything and says nothing; a display overrides what it shows."""

    def says(self, text: str) -> None:
        """Something that a person may want to know."""

    def starts(self, name: str, title: str, address: str) -> None:
        """A service is being started."""

    def ready(self, status: ServiceStatus) -> None:
        """A service answers, whether it was started now or ran before."""
