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
"""A head, a surgery method, a score and two trackers, one of which behaves as badly as it can."""
