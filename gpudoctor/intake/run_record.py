"""What `gpudoctor run` states of a run in its crash report: how the command ended, and what was seen of it."""

from __future__ import annotations

from gpudoctor.model.fact import FactSpec, FactType

_TEXTS, _INTEGER, _INTEGERS = FactType.TEXT_LIST, FactType.INTEGER, FactType.INTEGER_LIST
FACTS = (
    FactSpec("run.command", FactType.TEXT, "the command that was watched", private=True),
    FactSpec("run.began", FactType.TEXT, "when it was started, in UTC"),
    FactSpec("run.seconds", FactType.NUMBER, "how long it ran", "seconds"),
    FactSpec("run.user_seconds", FactType.NUMBER, "the processor time that it used itself", "seconds"),
    FactSpec("run.system_seconds", FactType.NUMBER, "the processor time that the kernel used for it", "seconds"),
    FactSpec("run.exit_code", _INTEGER, "its status as a shell shows it"),
    FactSpec("run.signal", FactType.TEXT, "the signal that killed it"),
    FactSpec("run.largest_process_bytes", _INTEGER, "the most memory of its largest process", "bytes"),
    FactSpec("run.tree_peak_bytes", _INTEGER, "the most memory that all its processes were seen to hold", "bytes"),
    FactSpec("run.group_peak_bytes", _INTEGER, "the most memory of its control group in this run", "bytes"),
    FactSpec("run.shm_peak_bytes", _INTEGER, "the most that was seen to be used of /dev/shm", "bytes"),
    FactSpec("run.oom_kills", _INTEGER, "OOM kills in its control group during this run"),
    FactSpec("run.pids_refused", _INTEGER, "processes that its control group refused during this run"),
    FactSpec("run.signals", _TEXTS, "signals that came from outside during this run"),
    FactSpec("run.new_core_files", _TEXTS, "core files that this run left", private=True),
    FactSpec("run.kernel_lines", _TEXTS, "what the kernel's log said of this run", private=True),
    FactSpec("run.gpu_memory_peak_bytes", _INTEGERS, "the most memory used, for each GPU", "bytes"),
    FactSpec("run.gpu_utilisation_peak_percent", _INTEGERS, "the highest utilisation, for each GPU", "percent"),
    FactSpec("run.gpu_temperature_peak_c", _INTEGERS, "the highest temperature, for each GPU", "degrees Celsius"),
    FactSpec("run.gpu_throttle_reasons", _INTEGERS, "NVML's bits for why clocks were held back, for each GPU"),
    FactSpec("run.gpu_new_ecc_errors", _INTEGERS, "uncorrected memory errors during this run, for each GPU"),
    FactSpec("run.gpu_events", _TEXTS, "Xid errors that NVML told of during this run"),
    FactSpec("run.stdout_head", _TEXTS, "the first lines of its output", private=True),
    FactSpec("run.stdout_tail", _TEXTS, "the last lines of its output", private=True),
    FactSpec("run.stderr_head", _TEXTS, "the first lines of its errors", private=True),
    FactSpec("run.stderr_tail", _TEXTS, "the last lines of its errors", private=True),
)
# The facts whose lines signatures should see when such a report is evidence.
SPOKEN = (
    "run.stdout_head",
    "run.stdout_tail",
    "run.stderr_head",
    "run.stderr_tail",
    "run.kernel_lines",
    "run.gpu_events",
)
