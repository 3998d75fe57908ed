"""Step: the ring edge by edge and size by size: which pair of GPUs is slow or broken, and what all of them carry.

A pair that hangs or gives wrong numbers is noted and left out, and the rest goes on in fresh processes.
"""

from __future__ import annotations

import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Load = Callable[[str], Any]


WHOLE_S = 120.0
SECONDS = 200.0
# After so many broken pairs it is no longer a matter of single pairs.
BROKEN_LIMIT = 4
SIZES = {"nccl": [1 << 16, 1 << 20, 16 << 20, 128 << 20], "gloo": [1 << 16, 1 << 20, 8 << 20]}
EDGE = "edge "


def run(torch: Any, options: dict[str, Any], emit: Callable[[dict[str, Any]], None], load: Load) -> None:
    """Emit the pairs as they become known, then the sizes."""
    ring = load("step_ring.py")
    place = ring.choose(torch, options)
    if "not_applicable" not in place and place["ranks"] < 2:
        place = {"not_applicable": "there is one GPU, and so no pair"}
    if "not_applicable" in place:
        emit({"ring_edges": place})
        return
    limits = dict({"whole": WHOLE_S}, **options.get("limits", {}))
    options = {"seconds": SECONDS, **options, "limits": limits}
    rings = ring.Rings(torch, place, dict(options, sizes=[]), load)
    found: dict[str, Any] = dict(place, edges=[], broken=[])
    left = [list(pair) for pair in itertools.combinations(range(place["ranks"]), 2)]
    while left and rings.left() and len(found["broken"]) < BROKEN_LIMIT:
        rings.options["edges"] = left
        verdict = rings.attempt({})
        found["edges"] += verdict["edges"]
        done = [one["edge"] for one in verdict["edges"]]
        phase = verdict["phase"]
        if verdict["outcome"] != "passed" and phase.startswith(EDGE):
            # Judged as broken also where its figures had come before it broke.
            pair = [int(part) for part in phase[len(EDGE) :].split("-")]
            found["broken"].append({"edge": pair, **{key: verdict[key] for key in ("outcome", "error")}})
            done.append(pair)
        elif verdict["outcome"] != "passed":
            found["verdict"] = {key: verdict[key] for key in ("outcome", "phase", "error", "failed_ranks")}
            left = []
        left = [pair for pair in left if pair not in done]
        emit({"ring_edges": found})
    if "verdict" not in found and rings.left():
        rings.options.update(edges=[], sizes=options.get("sizes", SIZES[rings.backend]))
        verdict = rings.attempt({})
        found["measured"] = verdict["measured"]
        found["verdict"] = {key: verdict[key] for key in ("outcome", "phase", "error", "failed_ranks")}
    found["left_out"] = left
    emit({"ring_edges": found})
