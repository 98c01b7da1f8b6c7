"""Predictions of mixed lengths: all of mtft's tasks against padded single-task models at batch 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtft.checkpoint import TrainedModel
from mtft.data.records import TEXTS, Record
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.pretrained import weights_digest
from mtft.evaluation import apply
from mtft.prediction import predict
from mtft.selection.mask import Mask
from tests.benchmarks.peers import PaddedModel
from tests.benchmarks.session import Candidate, Goal, Session
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, model, tasks

SECTION = "predict"
PADDED_BATCH = 32


def records(work: Workload, count: int) -> list[Record]:
    """Return records of all three tasks' dev data, shuffled: texts and pairs as users mix them."""
    found = []
    for task in tasks():
        keys = TEXTS[task.source.input]
        found += [dict(zip(keys, row.texts, strict=True)) for row in task.source.reader("dev", Path(work.data))]
    order = np.random.default_rng(0).permutation(len(found))[:count]
    return [Record(number, found[place], number) for number, place in enumerate(order)]


def trained(work: Workload) -> TrainedModel:
    """Put together what `mtft predict` loads; scores do not matter here."""
    whole, flat = model(work)
    mask = Mask(torch.arange(1), len(flat), weights_digest(flat.theta), {"score": "none"})
    length = work.config().positions
    return TrainedModel(whole, flat, mask, tasks(), load_tokenizer(work.tokenizer), length, work.model)


class Ours:
    """Answers of all tasks to each record; `chunk` records are read at a time, as `mtft predict --batch-size`."""

    def __init__(self, work: dict[str, Any], chunk: int = 64) -> None:
        self.work, self.chunk = Workload(**work), chunk
        self.trained = trained(self.work)

    def __call__(self, count: int) -> dict[str, Any]:
        """Predict `count` records."""
        chosen = records(self.work, count)
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

    A text goes to the sst model and a pair to the quora model, so each record gets one answer. Tokens come from
    transformers' fast tokenizer; the loop is leaner than `transformers.pipeline`.
    """

    def __init__(self, work: dict[str, Any]) -> None:
        self.work = Workload(**work)
        self.model = PaddedModel(model(self.work)[0]).eval()
        self.tokenizer = fast_tokenizer(self.work)

    def __call__(self, count: int) -> dict[str, Any]:
        """Predict `count` records."""
        chosen = records(self.work, count)
        return {"seconds": timed(lambda: self.run(chosen)), "answers": count}

    @torch.inference_mode()
    def run(self, chosen: list[Record]) -> None:
        """Predict each kind of record with its model."""
        for task, kind in (("sst", "single"), ("quora", "pair")):
            texts = [tuple(r.texts[key] for key in TEXTS[kind]) for r in chosen if len(r.texts) == len(TEXTS[kind])]
            for begin in range(0, len(texts), PADDED_BATCH):
                columns = [list(column) for column in zip(*texts[begin : begin + PADDED_BATCH], strict=True)]
                found = self.tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")
                mask = found["attention_mask"]
                features = self.model.features(found["input_ids"], found["token_type_ids"], mask)
                self.model.heads[task](*features, mask).tolist()


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
    """Build the padded peer."""
    return Padded(**options)


def pairs(**options: Any) -> Pairs:
    """Build passes over pairs."""
    return Pairs(**options)


def run(session: Session) -> None:
    """Measure."""
    count = 256 if session.quick else 640
    here = "tests.benchmarks.bench_predict"
    requests = [{"count": count}] * session.repeats
    peer = Candidate("padded, batch 32", f"{here}:padded")
    for chunk, note in ((64, "the default"), (1024, "--batch-size 1024")):
        mtft = Candidate(f"mtft predict, {note}", f"{here}:ours", {"chunk": chunk})
        session.compare(SECTION, mtft, peer, requests, what=f"{mtft.name}, all tasks, records/s",
                        against="padded, batch 32, one task", goal=Goal("at least", 2.5),
                        warm={"count": 16})  # fmt: skip
    two = Candidate("quora and sts", f"{here}:pairs", {"tasks": ["quora", "sts"]})
    one = Candidate("quora", f"{here}:pairs", {"tasks": ["quora"]})
    session.compare(SECTION, two, one, [{"count": count // 2}] * session.repeats, what="two pair tasks in one pass",
                    against="one", goal=Goal("at most", 1.25), warm={"count": 16}, flip=True)  # fmt: skip
