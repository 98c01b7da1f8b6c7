"""One training step: a gradient per task, surgery in task space, one packed update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtft.data.sampling import Rows
from mtft.errors import MtftError
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.adamw import PackedAdamW, Rule
from mtft.optimization.distillation import teacher_share
from mtft.optimization.gradients import TrainingSource, accumulate
from mtft.optimization.scaling import NO_SCALING, Scaling
from mtft.optimization.skip_unselected import skip_unselected_gradients
from mtft.optimization.surgery import SURGERY, Surgery, changed, cosines, gram
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.seeding import torch_generator
from mtft.training.diagnosis import not_finite_entries, not_finite_outputs, usable


class NotFiniteError(MtftError):
    """The loss or the gradient of a task is not finite; no weight was changed."""


@dataclass(frozen=True)
class StepResult:
    """The result of one step: mean loss per task present, tokens read, cosines, and the change by surgery.

    `cosines` [T, T] are those of the tasks' encoder gradients, in the order of `losses`. `changed` is the relative
    change of their sum by surgery.
    """

    losses: dict[str, float]
    tokens: int
    cosines: Tensor
    changed: float


class Stepper:
    """Trains the selected encoder weights and the heads of the sources' tasks, and nothing else.

    `selection` are the tunable entries of the encoder's flat vector; with None the encoder is frozen, without
    dropout. Heads of other tasks are never touched. `surgery` is the name of a built-in method, or a function.
    Sources with teachers learn first from these; over `teaching_steps` the labels take over. `micro_batch_tokens`
    bounds activation memory. Each process of a `group` computes a share of every gradient, and all take the same step.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        encoder: FlatParameters,
        sources: Sequence[TrainingSource],
        selection: Tensor | slice | None,
        *,
        surgery: str | Surgery = "pcgrad",
        weight_decay: float = 0.01,
        eps: float = 1e-8,
        rule: Rule = "torch",
        scaling: Scaling = NO_SCALING,
        micro_batch_tokens: int = 2048,
        teaching_steps: int = 1,
        seed: int = 0,
        group: Group = ALONE,
    ) -> None:
        if isinstance(selection, Tensor):
            selection = selection.to(encoder.theta.device)
        self.model, self.encoder, self.selection, self.group = model, encoder, selection, group
        self.sources = {source.name: source for source in sources}
        self.tasks = list(dict.fromkeys(source.task for source in sources))
        self.surgery = SURGERY[surgery] if isinstance(surgery, str) else surgery
        self.budget, self.seed, self.scaling, self.teaching_steps = micro_batch_tokens, seed, scaling, teaching_steps
        self.heads = {task: FlatParameters(model.heads[task]) for task in self.tasks}
        adamw = partial(PackedAdamW, eps=eps, weight_decay=weight_decay, rule=rule)
        self.optimizers = {f"head.{task}": adamw(head.theta, slice(None)) for task, head in self.heads.items()}
        self._sums: list[Any] = []
        if selection is None:
            encoder.freeze()
            self.gradients = encoder.theta.new_empty(len(self.tasks), 0)
        elif any(source.table.features is not None for source in sources):
            raise ValueError("features are of a frozen encoder; this one trains")
        else:
            skip_unselected_gradients(encoder.module, selection)
            self.optimizers["encoder"] = adamw(encoder.theta, selection)
            count = len(encoder) if isinstance(selection, slice) else len(selection)
            self.gradients = encoder.theta.new_empty(len(self.tasks), count)

    def step(self, rows: Rows, rate: float, number: int) -> StepResult:
        """Train on one batch, given as rows per source, with learning rate `rate`; `number` counts from 0.

        Absent tasks are skipped: their heads and moments do not move. A loss or gradient that is not finite is a
        NotFiniteError, raised before any weight has changed.
        """
        self.model.train()
        self.model.encoder.train(self.selection is not None)
        present = [task for task in self.tasks if any(self.sources[name].task == task for name in rows)]
        found = {task: self._task_gradient(index, task, rows, number) for index, task in enumerate(present)}
        losses = self._sum_over_processes(found)
        self._scale(losses)
        self._check_finite(losses, rows, number)
        similarity, change = self._update_encoder(len(present), rate, number)
        for task in present:
            gradient = self.heads[task].grad
            self.optimizers[f"head.{task}"].step(gradient / len(present) if len(present) > 1 else gradient, rate)
        tokens = sum(int(self.sources[name].table.example_lengths[chosen].sum()) for name, chosen in rows.items())
        return StepResult(losses, tokens, similarity, change)

    def _task_gradient(self, index: int, task: str, rows: Rows, number: int) -> float:
        """Put a task's encoder gradient in row `index` and its head's in the head's; return its mean loss."""
        present = [source for source in self.sources.values() if source.task == task and source.name in rows]
        weight = sum(source.weight for source in present)
        self.encoder.zero_grad()
        self.heads[task].zero_grad()
        parts = [(source, rows[source.name], source.weight / weight / len(rows[source.name])) for source in present]
        names = (self.seed, "dropout", number, task)
        taught = teacher_share(number, self.teaching_steps)
        loss = accumulate(self.model, parts, budget=self.budget, seed=names, group=self.group, taught=taught)
        if isinstance(self.selection, slice):
            self.gradients[index] = self.encoder.grad
        elif self.selection is not None:
            torch.index_select(self.encoder.grad, 0, self.selection, out=self.gradients[index])
        self._sums.append(self.group.start_sum(self.gradients[index]))
        return loss

    def _sum_over_processes(self, losses: dict[str, float]) -> dict[str, float]:
        """Sum the gradients over all processes, those of the heads and the losses in one message; return the losses.

        `_task_gradient` has already started the sums of the encoder's gradients, to overlap with the next task.
        """
        if self.group.size > 1:
            heads = [self.heads[task].grad for task in losses]
            message = self.group.sum(torch.cat([*heads, heads[0].new_tensor(list(losses.values()))]))
            *sums, totals = message.split([*map(len, heads), len(losses)])
            for head, total in zip(heads, sums, strict=True):
                head.copy_(total)
            losses = dict(zip(losses, totals.tolist(), strict=True))
        self.group.finish(*self._sums)
        self._sums.clear()
        return losses

    def _check_finite(self, losses: dict[str, float], rows: Rows, number: int) -> None:
        """Raise NotFiniteError with task, examples and layer if any loss or gradient is not finite."""
        for index, (task, loss) in enumerate(losses.items()):
            gradients = (self.gradients[index], self.heads[task].grad)
            if np.isfinite(loss) and all(map(usable, gradients)):
                continue
            mine = {name: chosen for name, chosen in rows.items() if self.sources[name].task == task}
            what = f"the loss of task {task!r} is {loss}"
            if np.isfinite(loss):
                what = f"the gradient of task {task!r} is not finite, or too large to be squared"
            found = [
                *not_finite_outputs(self.model, [self.sources[name] for name in mine], mine, self.budget),
                *not_finite_entries(self.encoder, self.selection, gradients[0]),
                *(f"head {name}" for name in not_finite_entries(self.heads[task], slice(None), gradients[1])),
            ]
            raise NotFiniteError(f"step {number + 1}: {what} ({'; '.join(found[:3])}); no weight was changed")

    def _scale(self, losses: Mapping[str, float]) -> None:
        """Multiply the tasks' gradients by their factors."""
        for index, (task, loss) in enumerate(losses.items()):
            if (factor := self.scaling.factor(task, loss)) != 1:
                self.gradients[index].mul_(factor)
                self.heads[task].grad.mul_(factor)

    def _update_encoder(self, present: int, rate: float, number: int) -> tuple[Tensor, float]:
        """Merge the first rows of the gradient matrix and update the selection; return (cosines, change)."""
        if self.selection is None:
            return torch.eye(present, dtype=torch.float64), 0.0
        rows = self.gradients[:present]
        products = gram(rows)
        weights = self.surgery(products, torch_generator(self.seed, "surgery", number))
        direction = (weights / present).to(rows) @ rows
        if not usable(direction):
            raise NotFiniteError(
                f"step {number + 1}: the direction of all tasks together is not finite, or too large to be squared; "
                "no weight was changed"
            )
        self.optimizers["encoder"].step(direction, rate)
        return cosines(products), changed(products, weights)

    def state(self) -> dict[str, Tensor]:
        """Return all tensors that training changes, flat, by name."""
        state = {f"head.{task}.theta": head.theta for task, head in self.heads.items()}
        if self.selection is not None:
            state["encoder.theta"] = self.encoder.theta[self.selection]
        for name, optimizer in self.optimizers.items():
            state |= {f"{name}.{key}": value for key, value in optimizer.state_dict().items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for task, head in self.heads.items():
            head.theta.copy_(state[f"head.{task}.theta"])
        if self.selection is not None:
            self.encoder.theta[self.selection] = state["encoder.theta"].to(self.encoder.theta.device)
        for name, optimizer in self.optimizers.items():
            keys = optimizer.state_dict().keys()
            optimizer.load_state_dict({key: state[f"{name}.{key}"] for key in keys})
