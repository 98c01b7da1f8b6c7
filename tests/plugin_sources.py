"""Plugins as strangers write them, as source text."""

from __future__ import annotations

GOOD = """
from dataclasses import replace
from mtft import hookimpl
from mtft.tasks.sst import SST
from mtft.tasks.augmentation import CFIMDB

def task(name):
    return replace(SST, name=name, source=replace(SST.source, name=name))

@hookimpl
def mtft_tasks():
    return [task("good")]
"""
"""One task, made of a built-in one."""

PARTS = """
from mtft import Part, hookimpl

@hookimpl
def mtft_heads():
    return [Part("own-head", "plugin_parts:head")]

@hookimpl
def mtft_surgery():
    return [Part("first", "plugin_parts:first_alone", "the first task leads")]

@hookimpl
def mtft_scores():
    yield Part("near", "plugin_parts:near")

@hookimpl
def mtft_trackers():
    return [Part("notes", "plugin_parts:Notes"), Part("rude", "plugin_parts:Rude")]

@hookimpl
def mtft_encoders():
    return [Part("halfbert", "plugin_parts:HALF")]

class Half:

    def read_config(self, directory):
        from dataclasses import replace
        from mtft.encoder.directory import read_config
        config = read_config(self.plain(directory))
        return replace(config, layers=config.layers // 2)

    def plain(self, directory):
        import json, pathlib, shutil, tempfile
        copy = pathlib.Path(tempfile.mkdtemp()) / "bert"
        shutil.copytree(directory, copy)
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
        return copy

    def build(self, config):
        from mtft.encoder.bert import Encoder
        encoder = Encoder(config)
        encoder.family = "halfbert"
        return encoder

    def load(self, directory, **changes):
        from dataclasses import replace
        from mtft.encoder.pretrained import load_encoder
        whole = load_encoder(self.plain(directory), **changes)
        encoder = self.build(replace(whole.config, layers=whole.config.layers // 2))
        encoder.load_state_dict({name: whole.state_dict()[name] for name in encoder.state_dict()})
        return encoder

HALF = Half()

def head(config, width):
    from torch import nn

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.projection = nn.Linear(config.hidden_size, width)

        def forward(self, output):
            return self.projection(output.mean())

    return Head()

def first_alone(K, generator):
    import torch

    K += 1  # a copy: nobody else sees it
    return torch.eye(len(K))[0] * len(K)

def near(scoring):
    total = 0
    for task, gradient in scoring.gradients():
        total = total + gradient.abs()
    return total * scoring.encoder.theta.abs()

class Notes:
    def __init__(self, run):
        import json
        self.path = run.path.with_name(run.path.name + ".notes")
        self.file = self.path.open("a")
        self.log("begin", {"command": run.command, "seed": run.settings["seed"], "resumed": run.resumed})

    def log(self, kind, record):
        import json
        self.file.write(json.dumps([kind, record]) + "\\n")

    def close(self):
        self.file.close()

class Rude:
    calls = 0

    def __init__(self, run):
        run.settings.clear()

    def log(self, kind, record):
        import random, sys
        import numpy, torch
        print("on stdout")
        torch.manual_seed(3)
        numpy.random.seed(3)
        random.seed(3)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        record.clear()
        Rude.calls += 1
        if Rude.calls == 3:
            sys.exit("enough")

    def close(self):
        raise RuntimeError("never")
"""
"""A head, a surgery method, a score, an encoder, and two trackers, one of which behaves as badly as it can."""

BROKEN = """
from dataclasses import replace
from torch import Tensor, nn, ones
from mtft import Binary, Source, Task, hookimpl
from mtft.data.example import Example
from mtft.losses import binary_cross_entropy as good_loss

ANSWER = Binary(("no", "yes"))

def read(split, data_dir):
    return [Example(str(i), (f"text {i} of {split}",), float(i % 2), f"{split}:{i}") for i in range(12)]

def changed(**values):
    return lambda split, data_dir: [replace(example, **values) for example in read(split, data_dir)]

def interrupted(split, data_dir):
    yield read(split, data_dir)[0]
    raise KeyError("midway")

class Listing:
    def files(self, split, data_dir):
        return 1 / 0

    def __call__(self, split, data_dir):
        return read(split, data_dir)

class Head(nn.Linear):
    def __init__(self, config, width):
        super().__init__(config.hidden_size, width)

    def forward(self, output):
        return super().forward(output.pooled)

class Wide(Head):
    def __init__(self, config, width):
        super().__init__(config, width + 1)

class Raising(Head):
    def forward(self, output):
        raise KeyError("boom")

class Whole(Head):
    def forward(self, output):
        return super().forward(output).long()

class Empty(nn.Module):
    def __init__(self, config, width):
        super().__init__()

class Few(Binary):
    def read(self, raw):
        return super().read(raw)[:1]

class Silent(Binary):
    def present(self, value):
        return {"label": object()}

CASES = {
    "good": {},
    "loss-mean": {"loss": lambda outputs, targets: good_loss(outputs, targets).mean()},
    "loss-column": {"loss": lambda outputs, targets: good_loss(outputs, targets)[:, None]},
    "loss-cut": {"loss": lambda outputs, targets: good_loss(outputs, targets).detach()},
    "loss-raises": {"loss": lambda outputs, targets: 1 / 0},
    "loss-none": {"loss": lambda outputs, targets: None},
    "loss-whole": {"loss": lambda outputs, targets: targets.long()},
    "loss-name": {"loss": "plugin_broken:nothing"},
    "text": {"reader": lambda split, data_dir: ["text"] * 9},
    "number": {"reader": lambda split, data_dir: 7},
    "two-texts": {"reader": changed(texts=("a", "b"))},
    "one-string": {"reader": changed(texts="a")},
    "half-pair": {"reader": changed(texts=("\\ud800",))},
    "wrong-id": {"reader": changed(id=object())},
    "range": {"reader": changed(target=7.0)},
    "nan": {"reader": changed(target=float("nan"))},
    "words": {"reader": changed(target="yes")},
    "no-label": {"reader": changed(target=None)},
    "reader-raises": {"reader": interrupted},
    "reader-exits": {"reader": lambda split, data_dir: exit(3)},
    "files": {"reader": Listing()},
    "head-wide": {"head": Wide},
    "head-raises": {"head": Raising},
    "head-whole": {"head": Whole},
    "head-empty": {"head": Empty},
    "head-none": {"head": lambda config, width: None},
    "head-name": {"head": "no_such_module:head"},
    "head-unmade": {"head": lambda config, width: 1 / 0},
    "few": {"output": Few(("no", "yes"))},
    "silent": {"output": Silent(("no", "yes"))},
}

@hookimpl
def mtft_tasks():
    for name, parts in CASES.items():
        source = Source(name, parts.get("reader", read), "single", parts.get("loss", good_loss))
        yield Task(name, parts.get("output", ANSWER), source, parts.get("head", Head))
"""
"""Tasks that can all be registered, and of which all but "good" break when they are used."""
