"""NVML's bits for why a GPU runs below its highest clocks, in the words of its header."""

from __future__ import annotations

BITS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}


def words(bits: int) -> list[str]:
    """The reasons in the order of their bits; those that are newer than this table by their number."""
    known = [name for bit, name in BITS.items() if bits & bit]
    left = bits & ~sum(BITS)
    return [*known, f"unknown_{left:#x}"] if left else known
