"""Probe: scaled-dot-product attention with each back end alone, against float64."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Torch's words, then those of cuDNN, for what this device or release does not have.
NOT_HERE = (
    "no available kernel",
    "no viable backend",
    "no valid engine configs",
    "no execution plans support",
    "no valid execution plans",
)
BACKENDS = ("flash", "mem_efficient", "cudnn", "math")


def probe(bench: Any) -> None:
    """Every back end that this torch can switch."""
    torch = bench.torch
    attention: Any = getattr(torch.nn.functional, "scaled_dot_product_attention", None)
    found = {name: getattr(torch.backends.cuda, "enable_%s_sdp" % name, None) for name in BACKENDS}
    switches: dict[str, Any] = {name: switch for name, switch in found.items() if switch is not None}
    if attention is None or "math" not in switches:
        bench.not_applicable("this torch has no scaled_dot_product_attention (2.0 brought it)")
    dtype = torch.float16 if bench.on_gpu else torch.float32
    shape = (1, 2, 64, 64)
    parts = [bench.random(*shape).roll(turn, 2).to(dtype) for turn in (0, 1, 2)]
    query, key, value = (part.double() for part in parts)
    reference = (query @ key.transpose(-1, -2) / 8.0).softmax(-1) @ value
    there = [part.to(bench.device) for part in parts]
    working, unavailable, worst = [], [], 0.0
    for name in switches:
        if not bench.on_gpu and name in ("mem_efficient", "cudnn"):
            continue  # these are for GPUs alone
        for other, switch in switches.items():
            switch(other == name)
        try:
            got = attention(*there)
            bench.wait()
        except RuntimeError as error:
            if not any(words in str(error).lower() for words in NOT_HERE):
                raise
            unavailable.append(name)
        else:
            worst = max(worst, bench.hold("attention by %s" % name, got, reference, 5e-3 if bench.on_gpu else 1e-5))
            working.append(name)
        bench.emit({"backends": list(working), "unavailable": list(unavailable), "relative_error": worst})
    if not working:
        raise RuntimeError("no back end of scaled_dot_product_attention works: " + ", ".join(unavailable))
