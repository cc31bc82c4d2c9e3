"""The gateway's retained topics: what each should say now. A broker forgets; this does not."""

from collections.abc import Callable

# What makes a broker forget a retained topic (MQTT 5, section 3.3.1.3).
NOTHING = b""


class RetainedTree:
    """topic -> payload. Every connect publishes all of it again, a change in between only itself."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        # A topic that is to be forgotten stays here with NOTHING: the broker may not have heard of it yet.
        self._wanted: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._on_change = on_change

    @property
    def topics(self) -> list[str]:
        return [topic for topic, payload in self._wanted.items() if payload]

    def payload(self, topic: str) -> bytes | None:
        """What `topic` says; None where it was never ours."""
        return self._wanted.get(topic)

    def put(self, topic: str, payload: bytes) -> None:
        """From now on `topic` says this; nothing is published where it says so already."""
        if self._wanted.get(topic) != payload:
            self.say(topic, payload)

    def say(self, topic: str, payload: bytes) -> None:
        """`topic` says this, and says it now: somebody waits for it even where it is nothing new."""
        # To the end of both: a manifest stays behind its parts, at every connect.
        self._wanted.pop(topic, None)
        self._wanted[topic] = payload
        self._dirty.pop(topic, None)
        self._dirty[topic] = None
        self._on_change()

    def clear(self, topic: str) -> None:
        """`topic` is no longer ours: an empty payload makes the broker forget it."""
        self.put(topic, NOTHING)

    def renew(self) -> None:
        """A new connection: everything is to be said again."""
        self._dirty = dict.fromkeys(self._wanted)

    def take(self) -> list[tuple[str, bytes]]:
        """What is to be published now, in the order in which it came to be so."""
        taken = [(topic, self._wanted[topic]) for topic in self._dirty]
        self._dirty.clear()
        return taken
