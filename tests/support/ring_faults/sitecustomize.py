"""Plants a fault into one rank of a real ring: RING_FAULT is `<fault> <rank> <function of torch.distributed>`.

Every process that is forked with torch imported gets the named function wrapped; in the named rank it does what the
fault says, in the others what it always did.
"""

import os
import signal
import sys
import time


def plant():
    fault, rank, name = os.environ["RING_FAULT"].split()
    dist = getattr(sys.modules.get("torch"), "distributed", None)
    true = getattr(dist, name, None)
    if true is None or hasattr(true, "planted"):
        return

    def faulty(*given, **named):
        if not dist.is_initialized() or dist.get_rank() != int(rank):
            return true(*given, **named)
        if fault == "unless":  # goes well only where a variable is set, as with a transport that can be switched off
            if os.environ.get(os.environ["RING_CURE"]) != "1":
                raise RuntimeError("NCCL error: planted failure of a transport")
        elif fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif fault == "segfault":
            import ctypes

            ctypes.string_at(0)
        elif fault == "exits":
            os._exit(5)
        elif fault == "raises":
            raise ValueError(f"planted error of rank {rank}")
        elif fault == "hangs":
            time.sleep(600)
        work = true(*given, **named)
        return Spoiling(work, given[0]) if fault == "nan" else work

    faulty.planted = True
    setattr(dist, name, faulty)


class Spoiling:
    """The handle of an operation whose result turns into not-a-number when it arrives."""

    def __init__(self, work, values):
        self.work = work
        self.values = values

    def wait(self):
        self.work.wait()
        first = self.values[0] if isinstance(self.values, list) else self.values
        first.view(-1)[-1] = float("nan")


if os.environ.get("RING_FAULT"):
    os.register_at_fork(after_in_child=plant)
