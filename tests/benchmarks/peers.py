"""Peers on transformers' BERT: texts padded to the longest of the task's batch, as a user would write it.

The weights are mtft's, the head is the report's in plain padded torch, and AdamW is torch's over everything.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mtft.data.sampling import Rows
from mtft.data.tokenization import TokenTable
from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import hub_names, hub_tensors
from mtft.heads import ReportHead
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import TASKS, Workload, batches, model, parts, sources

Part = tuple[TrainingSource, NDArray[np.int64], float]
LAYER = "layers.0."


class PaddedHead(nn.Module):
    """The report's head over padded hidden states, with the weights of one of mtft's."""

    def __init__(self, config: Any, like: ReportHead, names: dict[str, tuple[str, ...]], dropout: float) -> None:
        super().__init__()
        from transformers.models.bert.modeling_bert import BertLayer

        self.layer = BertLayer(config)
        self.feed_forward, self.projection = nn.Linear(1, 1), nn.Linear(1, 1)
        for ours in ("feed_forward", "projection"):
            shape = getattr(like, ours).weight.shape
            setattr(self, ours, nn.Linear(shape[1], shape[0]))
            getattr(self, ours).load_state_dict(getattr(like, ours).state_dict())
        weights: dict[str, Tensor] = {}
        for name, parameter in like.layer.named_parameters():
            theirs = names[LAYER + name]
            weights |= dict(zip(theirs, parameter.detach().chunk(len(theirs)), strict=True))
        self.layer.load_state_dict({name.removeprefix("encoder.layer.0."): value for name, value in weights.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, pooled: Tensor, mask: Tensor) -> Tensor:
        """Return raw outputs [S, width] from hidden states [S, L, H], pooled [S, H] and the mask [S, L]."""
        hidden = self.layer(hidden, attention_mask=mask[:, None, None, :].bool())
        share = mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * share).sum(1) / share.sum(1)
        features = self.dropout(torch.cat([mean, pooled], dim=-1))
        return cast(Tensor, self.projection(self.dropout(functional.gelu(self.feed_forward(features)))))


class PaddedModel(nn.Module):
    """transformers' BertModel and one padded head per task, with the weights of an mtft model."""

    def __init__(self, ours: MultiTaskModel) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        sizes = ours.encoder.config
        config_of: Any = BertConfig  # its signature lacks what all configurations take
        config = config_of(
            vocab_size=sizes.vocabulary,
            hidden_size=sizes.hidden_size,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            intermediate_size=sizes.intermediate_size,
            max_position_embeddings=sizes.positions,
            type_vocab_size=sizes.segments,
            layer_norm_eps=sizes.norm_epsilon,
            hidden_dropout_prob=sizes.dropout,
            attention_probs_dropout_prob=sizes.attention_dropout,
            attn_implementation="sdpa",
        )
        self.encoder = BertModel(config)
        assert isinstance(ours.encoder, Encoder)
        self.encoder.load_state_dict(hub_tensors(ours.encoder))
        names = hub_names(sizes)
        self.heads = nn.ModuleDict(
            {task: PaddedHead(config, cast(ReportHead, ours.heads[task]), names, sizes.head_dropout) for task in TASKS}
        )

    def features(self, ids: Tensor, segments: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden states [S, L, H] and pooled [S, H]."""
        found = self.encoder(input_ids=ids, token_type_ids=segments, attention_mask=mask)
        hidden = found.last_hidden_state
        return hidden.view_as(hidden), found.pooler_output  # a view: TorchJD wants features of which none made another


def pad(chosen: Sequence[Part]) -> tuple[Tensor, Tensor, Tensor]:
    """Pad all sequences of some parts to the longest: ids, segments and mask [S, L]."""
    spans: list[tuple[TokenTable, int, int]] = []
    for source, rows, _ in chosen:
        width = source.table.per_example
        numbers = (rows[:, None] * width + np.arange(width)).reshape(-1).tolist()
        spans.extend((source.table, *source.table.offsets[number : number + 2].tolist()) for number in numbers)
    longest = max(end - begin for _, begin, end in spans)
    ids, segments, mask = (torch.zeros(len(spans), longest, dtype=torch.int64) for _ in range(3))
    for row, (table, begin, end) in enumerate(spans):
        ids[row, : end - begin] = torch.from_numpy(table.ids[begin:end].astype(np.int64))
        segments[row, : end - begin] = torch.from_numpy(table.segments[begin:end].astype(np.int64))
        mask[row, : end - begin] = 1
    return ids, segments, mask


def loss_of(outputs: Tensor, chosen: Sequence[Part]) -> Tensor:
    """Return the loss of one task: the sum over its sources' rows of scale times loss."""
    total = outputs.new_zeros(())
    for (source, rows, scale), mine in zip(
        chosen, outputs.split([len(rows) * source.table.per_example for source, rows, _ in chosen]), strict=True
    ):
        width = source.table.per_example
        shaped = mine if width == 1 else mine.unflatten(0, (-1, width)).transpose(0, 1)
        total = total + scale * source.loss(shaped, source.targets[torch.from_numpy(rows)]).sum()
    return total


class Peer:
    """A peer's training step; `micro` cuts a task's batch into that many examples at once, in the order drawn."""

    def __init__(self, work: dict[str, Any], micro: int | None = None) -> None:
        given = Workload(**work)
        self.sources, self.micro = sources(given), micro
        self.model = PaddedModel(model(given)[0]).train(given.dropout)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, weight_decay=0.01)

    def __call__(self, size: int, index: int) -> dict[str, Any]:
        """Take one step on batch `index` of `size` examples."""
        every = batches(self.sources, size)
        rows = every[index % len(every)]
        return {"seconds": timed(lambda: self.step(rows)), "entries": self.entries()}

    def entries(self) -> int:
        """Count the numbers that the optimizer keeps."""
        return sum(v.numel() for state in self.optimizer.state.values() for k, v in state.items() if k != "step")

    def present(self, rows: Rows) -> list[tuple[str, list[Part]]]:
        """Return the tasks of a batch and their parts."""
        found = [(task, parts(self.sources, rows, task)) for task in TASKS]
        return [(task, chosen) for task, chosen in found if chosen]

    def pieces(self, chosen: list[Part]) -> Iterator[list[Part]]:
        """Cut a task's parts into micro-batches."""
        size = self.micro or max(len(rows) for _, rows, _ in chosen)
        if self.micro is None:
            yield chosen
            return
        for source, rows, scale in chosen:
            for begin in range(0, len(rows), size):
                yield [(source, rows[begin : begin + size], scale)]

    def task_loss(self, task: str, chosen: list[Part]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return a task's loss and the shared features that it was made from."""
        ids, segments, mask = pad(chosen)
        features = self.model.features(ids, segments, mask)
        return loss_of(self.model.heads[task](*features, mask), chosen), features

    def step(self, rows: Rows) -> None:
        """Take a step: gradients, then the optimizer."""
        self.optimizer.zero_grad()
        self.gradients(rows)
        self.optimizer.step()

    def gradients(self, rows: Rows) -> None:
        """Put the direction of the step into the parameters' gradients."""
        raise NotImplementedError


class Plain(Peer):
    """One backward per task, gradients summed as they come: no surgery."""

    def gradients(self, rows: Rows) -> None:
        """Accumulate."""
        for task, chosen in self.present(rows):
            for piece in self.pieces(chosen):
                self.task_loss(task, piece)[0].backward()


class TorchJD(Peer):
    """TorchJD's PCGrad with its interface for multi-task learning; `chunk` as its `parallel_chunk_size`."""

    def __init__(self, work: dict[str, Any], chunk: int | None = None) -> None:
        super().__init__(work)
        from torchjd.aggregation import PCGrad

        self.aggregator, self.chunk = PCGrad(), chunk

    def gradients(self, rows: Rows) -> None:
        """Differentiate all losses, then aggregate the encoder's Jacobian."""
        from torchjd.autojac import jac_to_grad, mtl_backward

        present = self.present(rows)
        found = [self.task_loss(task, chosen) for task, chosen in present]
        shared = list(self.model.encoder.parameters())
        mtl_backward(
            [loss for loss, _ in found],
            features=[feature for _, features in found for feature in features],
            tasks_params=[list(self.model.heads[task].parameters()) for task, _ in present],
            shared_params=shared,
            parallel_chunk_size=self.chunk,
        )
        jac_to_grad(shared, self.aggregator)


class LibMTL(Peer):
    """LibMTL's PCGrad class (from PyPI) in the step of its trainer, whose own code wants a GPU and an old torch.

    Losses are a list. `joined` puts them into one tensor first, as the trainer does, after which each backward
    goes through the graphs of all tasks.
    """

    def __init__(self, work: dict[str, Any], joined: bool = False) -> None:
        super().__init__(work)
        self.joined = joined
        weighting = libmtl_pcgrad()()
        weighting.task_num, weighting.rep_grad, weighting.device = len(TASKS), False, torch.device("cpu")
        shared = list(self.model.encoder.parameters())
        weighting.get_share_params = lambda: iter(shared)
        # As `zero_grad` did when LibMTL was written; today's sets None, which its `_reset_grad` cannot take.
        weighting.zero_grad_share_params = lambda: self.model.encoder.zero_grad(set_to_none=False)
        self.weighting = weighting

    def gradients(self, rows: Rows) -> None:
        """Let LibMTL differentiate and project."""
        losses: Any = [self.task_loss(task, chosen)[0] for task, chosen in self.present(rows)]
        if self.joined:
            together = torch.zeros(len(losses))
            for row, loss in enumerate(losses):
                together[row] = loss
            losses = together
        self.weighting.task_num = len(losses)
        self.weighting.backward(losses)


def libmtl_pcgrad() -> Any:
    """Import LibMTL's PCGrad past the package's `__init__`, which imports what torchvision no longer has."""
    if "LibMTL" not in sys.modules:
        spec = importlib.util.find_spec("LibMTL")
        if spec is None:
            raise ImportError("LibMTL is not installed")
        sys.modules["LibMTL"] = importlib.util.module_from_spec(spec)
    from LibMTL.weighting.PCGrad import PCGrad

    return PCGrad


def plain(**options: Any) -> Peer:
    """Build the plain loop."""
    return Plain(**options)


def torchjd(**options: Any) -> Peer:
    """Build TorchJD's step."""
    return TorchJD(**options)


def libmtl(**options: Any) -> Peer:
    """Build LibMTL's step."""
    return LibMTL(**options)
