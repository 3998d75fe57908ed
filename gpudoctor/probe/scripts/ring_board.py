"""The board on which the ranks of several machines leave notes for one another: torch's own store, bounded in time.

Rank 0 gathers and publishes, so that the others ask for one note each. Whether a note is there is asked through a
counter, which answers at once; waiting for a key would be bounded only by the store's own limit, which is minutes.
"""

from __future__ import annotations

import datetime
import json
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

TICK_S = 0.05
STORE_LIMIT_S = 10.0


def open_store(torch: Any, place: dict[str, Any], serve: bool) -> Any:
    """A connection to the store of the job; with `serve` the store itself is opened in this process."""
    return torch.distributed.TCPStore(
        place["address"],
        int(place["port"]),
        int(place["world_size"]),
        serve,
        timeout=datetime.timedelta(seconds=STORE_LIMIT_S),
        wait_for_workers=False,
    )


def open_in_time(torch: Any, place: dict[str, Any], serve: bool) -> tuple[Any, str]:
    """The store, or why there is none. torch's own limit does not hold where something else than a store listens."""
    answer: list[Any] = []

    def work() -> None:
        try:
            answer.append((open_store(torch, place, serve), ""))
        except Exception as error:
            answer.append((None, "%s: %s" % (type(error).__name__, str(error)[:2000])))

    opening = threading.Thread(target=work, daemon=True)
    opening.start()
    opening.join(2 * STORE_LIMIT_S)
    return answer[0] if answer else (None, "what listens there does not answer as a store of torch does")


class Board:
    """Notes under names; each is written once."""

    def __init__(self, torch: Any, store: Any, prefix: str) -> None:
        self.store = torch.distributed.PrefixStore(prefix, store)

    def put(self, name: str, note: Any) -> None:
        """Leave a note."""
        self.store.set(name, json.dumps(note, default=repr))
        self.store.add(name + "#", 1)

    def has(self, name: str) -> bool:
        """Whether a note is there."""
        return int(self.store.add(name + "#", 0)) > 0

    def take(self, name: str) -> Any:
        """Read a note that is there."""
        raw = self.store.get(name)
        return json.loads(raw.decode("utf-8") if isinstance(raw, bytes) else raw)

    def wait(self, name: str, seconds: float) -> Any:
        """A note, once it is there; None after so many seconds."""
        until = time.monotonic() + seconds
        while not self.has(name):
            if time.monotonic() >= until:
                return None
            time.sleep(TICK_S)
        return self.take(name)

    def gather(self, name: str, numbers: Iterable[int], seconds: float) -> dict[int, Any]:
        """The notes `name/<number>` of all these, or of those that came within so many seconds."""
        until = time.monotonic() + seconds
        found: dict[int, Any] = {}
        left = list(numbers)
        while True:
            here = [number for number in left if self.has("%s/%d" % (name, number))]
            for number in here:
                found[number] = self.take("%s/%d" % (name, number))
            left = [number for number in left if number not in found]
            if not left or time.monotonic() >= until:
                return found
            time.sleep(TICK_S)

    def count(self, name: str, more: int = 0) -> int:
        """A counter, after adding to it."""
        return int(self.store.add(name + "##", more))
