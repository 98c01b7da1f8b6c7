"""A model as an ONNX file: all tasks as named outputs of one graph, written, run by onnxruntime, and compared.

It needs the packages of the extra `onnx`. The graph has three inputs [B, L] of int64, `input_ids`, `token_type_ids`
(only if the encoder has several segments) and `attention_mask`, and one output [B, width] per task: the raw numbers of
its head.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtft.data.packing import micro_batches
from mtft.data.padding import pad, padded_batch
from mtft.data.tokenization import TokenTable
from mtft.errors import ConfigError, ModelError, install_hint, setting
from mtft.model.inference import BUDGET
from mtft.model.multitask import MultiTaskModel
from mtft.runs.checkpoint import TrainedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
OPSET = 18
METADATA = "mtft"
"""Key of the file's metadata; its value is a JSON text that says how to use the file."""
Outputs = dict[str, NDArray[np.float32]]


def check_installed() -> None:
    """Raise ConfigError unless the packages of the extra `onnx` can be imported."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # type: ignore[import-untyped]  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{setting('format', 'onnx')} needs: {install_hint('onnx')} ({error})") from None


def inputs(trained: TrainedModel) -> tuple[str, ...]:
    """Return the names of a graph's inputs, in order."""
    several = trained.model.encoder.config.segments > 1
    return tuple(name for name in INPUTS if several or name != "token_type_ids")


class Graph(nn.Module):
    """A model on padded batches: the same modules, tensors in and tensors out."""

    def __init__(self, model: MultiTaskModel, tasks: Sequence[str]) -> None:
        super().__init__()
        self.model, self.tasks = model, tuple(tasks)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Return the raw outputs [B, width] of all tasks; `arrays` [B, L] are the graph's `inputs`."""
        ids, mask = arrays[0], arrays[-1]
        segments = arrays[1] if len(arrays) > 2 else torch.zeros_like(ids)
        encoded = self.model.encoder(padded_batch(ids, segments, mask))
        return tuple(self.model.heads[task](encoded) for task in self.tasks)


def write_onnx(path: Path, trained: TrainedModel, about: Mapping[str, Any]) -> None:
    """Write a model on the CPU, with the metadata `about` it; the model's weights are frozen.

    ModelError if the exporter does not support a head's operations, or a task has the name of an input.
    """
    import onnx

    names = [task.name for task in trained.tasks]
    if taken := [name for name in names if name in INPUTS]:
        raise ModelError(f"task {taken[0]!r} has the name of an input of the graph")
    graph = Graph(trained.model, names).eval()
    trained.encoder.freeze()
    for parameter in graph.parameters():
        parameter.requires_grad_(False)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=trained.model.encoder.config.positions)
    # A tensor each, for one given twice would be one input; a size of 1 would be taken for a constant.
    examples = tuple(torch.ones(2, 3, dtype=torch.int64) for _ in inputs(trained))
    with _silence():
        try:
            program = torch.onnx.export(
                graph,
                examples,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(inputs(trained)),
                output_names=names,
                dynamic_shapes=(({0: batch, 1: length},) * len(examples),),
            )
        except Exception as error:  # the exporter raises many types
            raise ModelError(f"the model cannot be exported: {str(error).strip() or error!r}") from error
    assert program is not None
    proto = program.model_proto
    for node in [*proto.graph.node, *(node for function in proto.functions for node in function.node)]:
        del node.metadata_props[:]  # traces with paths of this machine
    onnx.helper.set_model_props(proto, {METADATA: json.dumps(about)})
    onnx.save_model(proto, str(path))


@contextmanager
def _silence() -> Iterator[None]:
    """Silence the libraries' notices inside the block."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def write_int8(path: Path, source: Path) -> None:
    """Write an ONNX file's model with 8-bit weights; activations are quantised while it runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    with _silence():
        quantize_dynamic(source, path, weight_type=QuantType.QInt8)


def open_session(path: Path, threads: int | None = None) -> Any:
    """Load an ONNX file into onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def apply_session(session: Any, table: TokenTable, tasks: Sequence[str], budget: int = BUDGET) -> Outputs:
    """Return raw outputs [n, width] per task of sequences, run in padded batches of at most `budget` tokens."""
    found: Outputs = {}
    wanted = {each.name for each in session.get_inputs()}
    for rows in micro_batches(table.lengths, budget):
        arrays = {name: array for name, array in zip(INPUTS, pad(table, rows), strict=True) if name in wanted}
        for task, outputs in zip(tasks, session.run(list(tasks), arrays), strict=True):
            found.setdefault(task, np.zeros((len(table), outputs.shape[1]), np.float32))[rows] = outputs
    return found
