"""Several processes that train one model: each takes a share of every task's examples, and the results are summed.

The model is not wrapped. Everything random or scheduled derives from the run seed, so all processes follow the same
plan. They exchange only sums (gradients, losses, outputs) and short texts, never objects.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from mtft.errors import MtftError, setting
from mtft.runtime import processes

T = TypeVar("T")

State = tuple[Mapping[str, Tensor], Any]
"""Tensors by name, and a value that JSON holds."""

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others; a process that has ended is noticed at once."""

_groups = itertools.count()


class LostError(MtftError):
    """Another process of this run has ended."""


class Group:
    """The processes of one run: this one is number `rank` of `size`. A single process sends nothing.

    `sent` counts the bytes of all tensors given to `sum`.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size, self.sent = rank, size, 0

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def own(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of this process's examples, dealt by descending length: shares differ by one example."""
        if self.size == 1:
            return np.arange(len(lengths))
        return np.argsort(-lengths, kind="stable")[self.rank :: self.size]

    def start_sum(self, tensor: Tensor) -> Any:
        """Start to replace a tensor by its sum over all processes; pass the result to `finish`."""
        if self.size == 1:
            return None
        self.sent += tensor.numel() * tensor.element_size()
        with _together():
            return dist.all_reduce(tensor, async_op=True)

    def finish(self, *sums: Any) -> None:
        """Wait for sums that `start_sum` began."""
        for work in filter(None, sums):
            with _together():
                work.wait()

    def sum(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over all processes; return it."""
        self.finish(self.start_sum(tensor))
        return tensor

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return bool(self.sum(torch.tensor(int(flag)))) if self.size > 1 else flag

    def texts(self, text: str) -> list[str]:
        """Return the texts of all processes, in their order."""
        if self.size == 1:
            return [text]
        content = np.frombuffer(text.encode(), np.uint8)
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(content)
        longest = int(self.sum(lengths).max())
        table = torch.zeros(self.size, longest, dtype=torch.uint8)
        table[self.rank, : len(content)] = torch.from_numpy(content.copy())
        self.sum(table)
        return [bytes(row[:length].tolist()).decode() for row, length in zip(table, lengths.tolist(), strict=True)]

    def on_first(self, compute: Callable[[], T]) -> T:
        """Return, in all processes, what `compute` returns in process 0: anything that JSON holds.

        An MtftError that it raises there is raised in all.
        """
        if self.size == 1:
            return compute()
        if not self.first:
            found = json.loads(self._broadcast_text(""))
            if "error" in found:
                raise _error(found["error"])
            return cast("T", found["value"])
        try:
            value = compute()
        except MtftError as error:
            self._broadcast_text(json.dumps({"error": _description(error)}))
            raise
        self._broadcast_text(json.dumps({"value": value}))
        return value

    def load_on_first(self, load: Callable[[], State | None]) -> State | None:
        """Return, in all processes, the tensors and the JSON value that `load` returns in process 0, or its None."""
        loaded: list[State] = []

        def read() -> bool:
            found = load()
            loaded.extend([found] if found else [])
            return found is not None

        if not self.on_first(read):
            return None
        return self.of_first(*loaded[0]) if loaded else self.of_first({}, None)

    def of_first(self, tensors: Mapping[str, Tensor], value: Any) -> tuple[dict[str, Tensor], Any]:
        """Return the tensors, on the CPU, and the value, anything that JSON holds, of process 0."""
        if self.size == 1:
            return dict(tensors), value
        shapes = {name: (str(each.dtype).removeprefix("torch."), list(each.shape)) for name, each in tensors.items()}
        shapes, value = json.loads(self._broadcast_text(json.dumps([shapes, value])))
        found = {}
        for name, (kind, shape) in shapes.items():
            own = tensors[name] if self.first else torch.empty(shape, dtype=getattr(torch, kind))
            found[name] = self._broadcast(own)
        return found, value

    def _broadcast(self, tensor: Tensor) -> Tensor:
        """Fill a tensor, on the CPU, with that of process 0; return it."""
        tensor = tensor.contiguous()
        if tensor.numel():
            with _together():
                dist.broadcast(tensor, src=0)
        return tensor

    def _broadcast_text(self, text: str) -> str:
        """Return the text of process 0."""
        content = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = int(self._broadcast(torch.tensor(len(content))))
        return bytes(self._broadcast(content if self.first else content.new_empty(length)).tolist()).decode()

    def same(self, what: str, text: str) -> None:
        """Raise MtftError, in all processes, unless all have the same text under the name `what`."""
        for rank, other in enumerate(texts := self.texts(text)):
            if other != texts[0]:
                raise MtftError(f"process {rank} has another {what} than process 0: {other}, not {texts[0]}")


ALONE = Group()


def _description(error: MtftError) -> dict[str, Any]:
    """Return an error as JSON holds it."""
    plain = {name: value for name, value in vars(error).items() if isinstance(value, (str, int, type(None)))}
    return {"kind": type(error).__name__, "args": [str(each) for each in error.args], "facts": plain}


def _error(found: Mapping[str, Any]) -> MtftError:
    """Return the error that `_description` described; an MtftError if its class is unknown here."""
    kind = next((each for each in _kinds(MtftError) if each.__name__ == found["kind"]), MtftError)
    error = kind.__new__(kind)
    error.args = tuple(found["args"])
    vars(error).update(found["facts"])
    return error


def _kinds(kind: type[MtftError]) -> Iterator[type[MtftError]]:
    """Yield all kinds of an error that are known so far."""
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


@contextmanager
def joined(patience: timedelta = PATIENCE) -> Iterator[Group]:
    """Join the processes that ``torchrun`` started, waiting at most `patience`; without ``torchrun`` yield `ALONE`.

    An error that several processes meet is shown by one of them on each machine; the others mark it as `reported`.
    """
    if processes.size() == 1:
        yield ALONE
        return
    with _together():
        store, rank, size = next(rendezvous("env://", timeout=patience))
        # a prefix of its own: the store may hold entries of former processes or groups
        name = f"mtft/{processes.restarts()}/{size}/{next(_groups)}"
        store = dist.PrefixStore(name, store)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=patience)
    try:
        yield Group(rank, size)
    except LostError as error:
        reason = _failure(store)
        if reason:
            error.args = (f"another process of this run failed: {reason}",)
        error.reported = not _first_to_report(store, reason)
        raise
    except MtftError as error:
        error.reported = not _first_to_report(store, str(error))
        _announce(store, str(error))
        raise
    except Exception as error:
        _announce(store, f"{type(error).__name__}: {error}")
        raise
    finally:
        dist.destroy_process_group()


def _announce(store: Any, text: str) -> None:
    """Store the error that ended this process for the others, which only notice that it is gone."""
    with suppress(RuntimeError):
        store.set("failure", text)


def _failure(store: Any) -> str:
    """Return the error that ended another process, "" if it could not store one."""
    with suppress(RuntimeError):
        if store.check(["failure"]):
            return bytes(store.get("failure")).decode()
    return ""


def _first_to_report(store: Any, text: str) -> bool:
    """Return whether this process is the first on its machine to meet an error."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    with suppress(RuntimeError):
        return int(store.add(f"reported/{os.environ.get('GROUP_RANK', '0')}/{digest}", 1)) == 1
    return True


@contextmanager
def _together() -> Iterator[None]:
    """Turn the error that a lost process causes in the others into one that says what to do."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise LostError(
            f"another process of this run is lost ({reason}); its own error says why. "
            f"A training goes on from its last checkpoint with {setting('resume')}"
        ) from None
