"""Predictions of mixed lengths: all of mtft's tasks against padded single-task models at batch 32."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtft.data.stream_records import TEXTS, Record
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.pretrained import weights_digest
from mtft.model.inference import apply
from mtft.plugin.manager import build_registry, load_plugins
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.prediction import predict
from mtft.selection.mask import Mask
from mtft.tasks.task import Source
from tests.benchmarks.peers import PaddedModel
from tests.benchmarks.session import Candidate, Goal, Session
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, model, tasks

SECTION = "predict"
PADDED_BATCH = 32


def records(work: Workload, count: int, kind: str = "mixed") -> list[Record]:
    """Return records of dev data, shuffled: texts and pairs of all three tasks, or texts of very different lengths."""
    found = []
    for source in [task.source for task in tasks()] if kind == "mixed" else sentiment():
        keys = TEXTS[source.input]
        found += [dict(zip(keys, row.texts, strict=True)) for row in source.reader("dev", Path(work.data))]
    order = np.random.default_rng(0).permutation(len(found))[:count]
    return [Record(number, found[index], number) for number, index in enumerate(order)]


def sentiment() -> list[Source]:
    """Return the sources of sentiment: sentences of SST and reviews of CFIMDB."""
    registry = build_registry(load_plugins())
    return [registry.task("sst").source, *(s for s in registry.sources_for("sst") if s.name == "cfimdb")]


def trained(work: Workload) -> TrainedModel:
    """Put together what `mtft predict` loads; scores do not matter here."""
    whole, flat = model(work)
    mask = Mask(torch.arange(1), len(flat), weights_digest(flat.theta), {"score": "none"})
    length = work.config().positions
    return TrainedModel(whole, flat, mask, tasks(), load_tokenizer(work.tokenizer), length, work.model)


class Ours:
    """Answers of all tasks to each record; `chunk` records are read at a time, as `mtft predict --batch-size`."""

    def __init__(self, work: dict[str, Any], chunk: int = 64, kind: str = "mixed") -> None:
        self.work, self.chunk, self.kind = Workload(**work), chunk, kind
        self.trained = trained(self.work)

    def __call__(self, count: int) -> dict[str, Any]:
        """Predict `count` records."""
        chosen = records(self.work, count, self.kind)
        return {"seconds": timed(lambda: self.run(chosen)), "answers": self.answers}

    def run(self, chosen: list[Record]) -> None:
        """Predict."""
        found = list(predict(self.trained, chosen, self.trained.tasks, every=True, chunk=self.chunk))
        self.answers = sum(len(result) - 1 for result in found)


def fast_tokenizer(work: Workload) -> Any:
    """Return transformers' fast tokenizer for a model directory."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer
    from transformers import PreTrainedTokenizerFast

    file = work.tokenizer / "tokenizer.json"
    words = BertWordPieceTokenizer(str(file.with_name("vocab.txt")))._tokenizer if not file.exists() else None
    backend = words or Tokenizer.from_file(str(file))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        model_max_length=work.config().positions,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


class Padded:
    """One model and one head per kind of text, as individually trained models: batches of 32, padded.

    A text goes to the sst model and a pair to the quora model, so each record gets one answer.
    """

    def __init__(self, work: dict[str, Any], kind: str = "mixed") -> None:
        self.work, self.kind = Workload(**work), kind
        self.model = PaddedModel(model(self.work)[0]).eval()
        self.tokenizer = fast_tokenizer(self.work)

    def __call__(self, count: int) -> dict[str, Any]:
        """Predict `count` records."""
        chosen = records(self.work, count, self.kind)
        return {"seconds": timed(lambda: self.run(chosen)), "answers": count}

    def run(self, chosen: list[Record]) -> None:
        """Predict each kind of record with its model."""
        for task, kind in (("sst", "single"), ("quora", "pair")):
            texts = [tuple(r.texts[key] for key in TEXTS[kind]) for r in chosen if len(r.texts) == len(TEXTS[kind])]
            if texts:
                self.answer(task, texts)

    @torch.inference_mode()
    def answer(self, task: str, texts: list[tuple[str, ...]]) -> None:
        """Apply one task in a loop that is leaner than the pipeline's."""
        for begin in range(0, len(texts), PADDED_BATCH):
            columns = [list(column) for column in zip(*texts[begin : begin + PADDED_BATCH], strict=True)]
            found = self.tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")
            mask = found["attention_mask"]
            features = self.model.features(found["input_ids"], found["token_type_ids"], mask)
            self.model.heads[task](*features, mask).tolist()


class Pipeline(Padded):
    """The same models in ``transformers.pipeline("text-classification", batch_size=32)``."""

    def __init__(self, work: dict[str, Any], kind: str = "mixed") -> None:
        super().__init__(work, kind)
        from transformers import TextClassificationPipeline

        self.pipelines = {
            task: TextClassificationPipeline(
                model=classifier(self.model, task), tokenizer=self.tokenizer, batch_size=PADDED_BATCH, device="cpu"
            )
            for task in ("sst", "quora")
        }

    def answer(self, task: str, texts: list[tuple[str, ...]]) -> None:
        """Apply one task as a user would."""
        inputs = [dict(zip(("text", "text_pair"), given, strict=False)) for given in texts]
        list(self.pipelines[task](inputs, truncation=True))


def classifier(padded: PaddedModel, task: str) -> Any:
    """Return one head on the encoder as the kind of model that transformers' pipelines take."""
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import SequenceClassifierOutput

    class Classifier(PreTrainedModel):
        _supports_sdpa = True

        def __init__(self) -> None:
            config = deepcopy(padded.encoder.config)
            projection: Any = padded.heads[task].projection
            config.num_labels = projection.out_features
            super().__init__(config)
            self.padded = padded

        def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> Any:
            features = self.padded.features(input_ids, token_type_ids, attention_mask)
            return SequenceClassifierOutput(logits=self.padded.heads[task](*features, attention_mask))

    return Classifier().eval()


class Pairs:
    """Pair tasks on the same pairs in one encoder pass, `mtft eval`'s way, tokens at hand."""

    def __init__(self, work: dict[str, Any], tasks: list[str]) -> None:
        self.work, self.tasks = Workload(**work), tasks
        self.trained = trained(self.work)

    def __call__(self, count: int) -> dict[str, Any]:
        """Apply the tasks to `count` pairs."""
        chosen = [r for r in records(self.work, 10 * count) if len(r.texts) == 2][:count]
        rows = [tuple(record.texts.values()) for record in chosen]
        table, _ = self.trained.tokenizer.table(rows, apart=False, max_length=self.trained.max_length)
        return {"seconds": timed(lambda: apply(self.trained.model, table, self.tasks))}


def ours(**options: Any) -> Ours:
    """Build mtft's predictions."""
    return Ours(**options)


def padded(**options: Any) -> Padded:
    """Build the lean padded peer."""
    return Padded(**options)


def pipeline(**options: Any) -> Pipeline:
    """Build transformers' pipelines."""
    return Pipeline(**options)


def pairs(**options: Any) -> Pairs:
    """Build passes over pairs."""
    return Pairs(**options)


def run(session: Session) -> None:
    """Measure."""
    count = 256 if session.quick else 640
    here = "tests.benchmarks.bench_predict"
    requests = [{"count": count}] * session.repeats
    goal = Goal("at least", 2.5)
    for kind, texts in (("mixed", "SST, Quora and STS"), ("lengths", "SST and CFIMDB, 3 to 512 tokens")):
        peer = Candidate("transformers pipeline, batch 32", f"{here}:pipeline", {"kind": kind})
        for chunk, note in ((64, "default"), (1024, "--batch-size 1024")):
            mtft = Candidate(f"mtft predict, {note}", f"{here}:ours", {"chunk": chunk, "kind": kind})
            session.compare(
                SECTION,
                mtft,
                peer,
                requests,
                what=f"{mtft.name}, all tasks: {texts}",
                against=f"{peer.name}, one task",
                goal=goal,
                warm={"count": 16},
            )
    lean = Candidate("padded loop, batch 32", f"{here}:padded")
    mtft = Candidate("mtft predict, default", f"{here}:ours")
    session.compare(
        SECTION,
        mtft,
        lean,
        requests,
        what=f"{mtft.name}, all tasks: SST, Quora and STS",
        against=f"{lean.name}, one task",
        warm={"count": 16},
    )
    two = Candidate("quora and sts", f"{here}:pairs", {"tasks": ["quora", "sts"]})
    one = Candidate("quora", f"{here}:pairs", {"tasks": ["quora"]})
    session.compare(
        SECTION,
        two,
        one,
        [{"count": count // 2}] * session.repeats,
        what="two pair tasks in one pass",
        against="one",
        goal=Goal("at most", 1.25),
        warm={"count": 16},
        flip=True,
    )
