"""One of two processes that train together, counting the bytes that it gives to all-reduce in one step.

``python -m tests.benchmarks.wire REQUEST``, with the environment that torchrun would set; prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from mtft.runtime.distributed import Group, joined
from tests.benchmarks.ours import Training
from tests.benchmarks.peers import Part, Plain
from tests.benchmarks.workload import batches


def ours(work: dict[str, Any], group: Group, size: int, keep: float) -> int:
    """Take a step of mtft; count at torch's own door, which must agree with what the group says of itself."""
    for turn in range(group.size):  # one after the other, since what is cached is written once
        if turn == group.rank:
            training = Training(work, keep=keep, group=group)
        group.any(False)
    sent, before = 0, group.sent
    real = dist.all_reduce

    def counted(tensor: Tensor, *args: Any, **options: Any) -> Any:
        nonlocal sent
        sent += tensor.numel() * tensor.element_size()
        return real(tensor, *args, **options)

    with mock.patch.object(dist, "all_reduce", counted):
        training(size, 0)
    if sent != group.sent - before:
        raise ValueError(f"the group counts {group.sent - before} bytes, all-reduce {sent}")
    return sent


class Joint(nn.Module):
    """The sum of the losses of some tasks, as the one forward pass that DistributedDataParallel wants."""

    def __init__(self, plain: Plain) -> None:
        super().__init__()
        self.model = plain.model
        self.loss: Callable[..., Any] = plain.task_loss

    def forward(self, present: list[tuple[str, list[Part]]]) -> Tensor:
        """Return the loss."""
        total: Tensor = torch.stack([self.loss(task, chosen)[0] for task, chosen in present]).sum()
        return total


def ddp(work: dict[str, Any], group: Group, size: int, apart: bool) -> int:
    """Take the gradients of a step with DistributedDataParallel: of all tasks at once, or `apart`, as for surgery."""
    plain = Plain(work)
    wrapped = DistributedDataParallel(Joint(plain), broadcast_buffers=False, find_unused_parameters=True)
    sent = 0

    # Without annotations: torch refuses those that are texts.
    def counted(state, bucket):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        nonlocal sent
        sent += bucket.buffer().numel() * bucket.buffer().element_size()
        return allreduce_hook(state, bucket)

    wrapped.register_comm_hook(None, counted)
    rows = {name: chosen[group.rank :: group.size] for name, chosen in batches(plain.sources, size)[0].items()}
    present = plain.present({name: chosen for name, chosen in rows.items() if len(chosen)})
    for part in [[each] for each in present] if apart else [present]:
        plain.optimizer.zero_grad()
        wrapped(part).backward()
    del wrapped  # while its group is there
    dist.barrier()
    return sent


def main(request: dict[str, Any]) -> None:
    """Count."""
    torch.set_num_threads(1)
    count: Callable[..., int] = {"ours": ours, "ddp": ddp}[request.pop("who")]
    with joined() as group:
        print(json.dumps({"bytes": count(request.pop("work"), group, **request)}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
