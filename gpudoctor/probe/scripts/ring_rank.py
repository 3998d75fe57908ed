"""One rank of the ring: it joins, runs each collective on numbers whose result is known exactly, and takes the time.

It runs in a process of its own, forked from the one that imported torch. Before and after each piece of work it says
where it is, because a rank that hangs is found by how far it came, and by whether its part was posted at all.
"""

from __future__ import annotations

import datetime
import functools
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Tell = Callable[..., None]

SEED = 20_261
# Whole numbers this small add up without rounding in fp32, for as many ranks as there may be.
LARGEST = 500
# In the limit of the group itself lies none of ours: it is there for the day on which nobody watches any more.
GROUP_LIMIT_S = 600.0
BYTES_OF_FLOAT = 4


class WrongResultError(Exception):
    """A collective gave other numbers than it must."""


class Ring:
    """One rank's part. `job` holds backend, rank, world_size, device (index or -1), elements, sizes and repeats."""

    def __init__(self, torch: Any, job: dict[str, Any], tell: Tell) -> None:
        self.torch = torch
        self.dist = torch.distributed
        self.tell = tell
        self.rank = int(job["rank"])
        self.world = int(job["world_size"])
        self.backend = str(job["backend"])
        self.index = int(job.get("device", -1))
        self.device = torch.device("cuda", self.index) if self.index >= 0 else torch.device("cpu")
        # As many for each rank as there are ranks, so that they can be dealt out evenly.
        self.elements = max(1, int(job.get("elements", 16_384)) // self.world) * self.world
        self.sizes = [int(size) for size in job.get("sizes", [])]
        self.repeats = int(job.get("repeats", 3))
        self.edges = [(int(one), int(other)) for one, other in job.get("edges", [])]
        self.edge_bytes = int(job.get("edge_bytes", 8 << 20))

    def run(self, store: Any) -> None:
        """Everything in order; raises what torch raises, and WrongResultError."""
        self.torch.set_num_threads(1)  # the ranks share the cores that training gives to each of them
        self.phase("device", self.take_device)
        self.phase("join", lambda: self.join(store))
        self.phase("connect", self.connect)
        if self.edges:
            self.each_edge()
            self.tell(phase="through", state="done")
            return
        self.phase("all_reduce", self.all_reduce)
        self.phase("all_gather", self.all_gather)
        self.phase("reduce_scatter", self.reduce_scatter)
        if self.world > 1:
            self.phase("send_recv", self.send_recv)
            for size in self.sizes:
                self.phase("bandwidth", functools.partial(self.bandwidth, size))
        self.tell(phase="through", state="done")

    def phase(self, name: str, work: Callable[[], None]) -> None:
        """One piece of work, said before and after."""
        self.tell(phase=name, state="entered")
        work()
        self.tell(phase=name, state="done")

    def posted(self, name: str) -> None:
        """Say that our part is given away and that we only wait for the others."""
        self.tell(phase=name, state="posted")

    def take_device(self) -> None:
        """Take the GPU, which creates its context."""
        if self.index >= 0:
            self.torch.cuda.set_device(self.device)
            self.torch.zeros(1, device=self.device)
            self.torch.cuda.synchronize()

    def join(self, store: Any) -> None:
        """Meet the other ranks."""
        self.dist.init_process_group(
            self.backend,
            store=store,
            rank=self.rank,
            world_size=self.world,
            timeout=datetime.timedelta(seconds=GROUP_LIMIT_S),
        )

    def settle(self, name: str, works: Any) -> None:
        """Wait for what was posted, on the GPU too."""
        self.posted(name)
        for work in works:
            if work is not None:
                work.wait()
        if self.index >= 0:
            self.torch.cuda.synchronize()

    def connect(self) -> None:
        """The first collective, of one number; NCCL makes its connections only now."""
        one = self.torch.ones(1, device=self.device)
        self.settle("connect", [self.dist.all_reduce(one, async_op=True)])
        self.hold("connect", one, self.torch.full((1,), float(self.world)))

    def share(self, rank: int) -> Any:
        """What a rank brings: every rank can work out every other's."""
        generator = self.torch.Generator()
        generator.manual_seed(SEED + rank)
        drawn = self.torch.randint(-LARGEST, LARGEST + 1, (self.elements,), generator=generator)
        return drawn.to(self.torch.float32)

    def total(self) -> Any:
        """The sum of all shares."""
        found = self.share(0)
        for rank in range(1, self.world):
            found += self.share(rank)
        return found

    def all_reduce(self) -> None:
        """The sum of all shares, everywhere."""
        mine = self.share(self.rank).to(self.device)
        self.settle("all_reduce", [self.dist.all_reduce(mine, async_op=True)])
        self.hold("all_reduce", mine, self.total())

    def all_gather(self) -> None:
        """Everybody's share, everywhere."""
        mine = self.share(self.rank).to(self.device)
        found = [self.torch.full_like(mine, float("nan")) for _ in range(self.world)]
        self.settle("all_gather", [self.dist.all_gather(found, mine, async_op=True)])
        for rank, piece in enumerate(found):
            self.hold("all_gather", piece, self.share(rank))

    def reduce_scatter(self) -> None:
        """Each rank gets its piece of the sum."""
        mine = self.share(self.rank).to(self.device)
        pieces = list(mine.chunk(self.world))
        found = self.torch.full_like(pieces[0], float("nan"))
        try:
            work = self.dist.reduce_scatter(found, pieces, async_op=True)
        except (RuntimeError, NotImplementedError) as error:
            # gloo learned this in the course of the 2.x releases; that an older one cannot is no fault of the machine
            if "support" not in str(error).lower() or self.backend != "gloo":
                raise
            self.tell(phase="reduce_scatter", unsupported=str(error)[:500])
            return
        self.settle("reduce_scatter", [work])
        self.hold("reduce_scatter", found, self.total().chunk(self.world)[self.rank])

    def send_recv(self) -> None:
        """Each rank sends its share to the next and takes that of the one before."""
        before, after = (self.rank - 1) % self.world, (self.rank + 1) % self.world
        mine = self.share(self.rank).to(self.device)
        found = self.torch.full_like(mine, float("nan"))
        dist = self.dist
        works = dist.batch_isend_irecv([dist.P2POp(dist.isend, mine, after), dist.P2POp(dist.irecv, found, before)])
        self.settle("send_recv", works)
        self.hold("send_recv", found, self.share(before))

    def bandwidth(self, size: int) -> None:
        """Time all-reduces of `size` bytes. The bus bandwidth is what each link carries: 2 (n - 1) / n of the size."""
        values = self.torch.zeros(max(1, size // BYTES_OF_FLOAT), device=self.device)
        self.settle("bandwidth", [self.dist.all_reduce(values, async_op=True)])
        began = time.perf_counter()
        for _ in range(self.repeats):
            self.dist.all_reduce(values, async_op=True).wait()
        if self.index >= 0:
            self.torch.cuda.synchronize()
        seconds = (time.perf_counter() - began) / self.repeats
        self.hold("bandwidth", values, self.torch.zeros(values.shape))
        carried = 2.0 * (self.world - 1) / self.world * values.numel() * BYTES_OF_FLOAT
        self.tell(measured={"bytes": size, "seconds": seconds, "bus_bandwidth": carried / seconds})

    def each_edge(self) -> None:
        """One pair of ranks after the other exchanges numbers, while all others wait for them."""
        for pair in self.edges:
            self.phase("edge %d-%d" % pair, functools.partial(self.edge, pair))

    def edge(self, pair: tuple[int, int]) -> None:
        """Both of a pair send and receive at once: first numbers that are known, then many, by the clock."""
        name = "edge %d-%d" % pair
        if self.rank in pair:
            other = pair[0] if self.rank == pair[1] else pair[1]
            mine = self.share(self.rank).to(self.device)
            found = self.torch.full_like(mine, float("nan"))
            self.swap(name, mine, found, other)
            self.hold(name, found, self.share(other))
            mine = self.torch.zeros(self.edge_bytes // BYTES_OF_FLOAT, device=self.device)
            found = self.torch.full_like(mine, float("nan"))
            self.swap(name, mine, found, other)
            began = time.perf_counter()
            for _ in range(self.repeats):
                self.swap(name, mine, found, other)
            seconds = (time.perf_counter() - began) / self.repeats
            self.hold(name, found, self.torch.zeros(found.shape))
            moved = mine.numel() * BYTES_OF_FLOAT
            self.tell(measured={"edge": list(pair), "bytes": moved, "seconds": seconds, "bandwidth": moved / seconds})
        self.settle(name, [self.dist.all_reduce(self.torch.ones(1, device=self.device), async_op=True)])

    def swap(self, name: str, mine: Any, found: Any, other: int) -> None:
        """Send ours to one rank and take its."""
        dist = self.dist
        works = dist.batch_isend_irecv([dist.P2POp(dist.isend, mine, other), dist.P2POp(dist.irecv, found, other)])
        self.settle(name, works)

    def hold(self, name: str, found: Any, expected: Any) -> None:
        """Raise WrongResultError unless both are the same to the last bit; not-a-number equals nothing."""
        found = found.cpu()
        if self.torch.equal(found, expected):
            return
        if found.shape != expected.shape:
            raise WrongResultError("%s gave %s numbers, not %s" % (name, tuple(found.shape), tuple(expected.shape)))
        wrong = (found != expected).nonzero().flatten()
        first = int(wrong[0])
        raise WrongResultError(
            "%s gave %d wrong numbers of %d; number %d is %r and must be %r"
            % (name, len(wrong), found.numel(), first, float(found[first]), float(expected[first]))
        )
