"""A tiny random ModernBERT: equal to transformers itself, and trained, resumed and used by mtft."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from mtft_transformers import families, mtft_encoders
from tokenizers import Tokenizer as Fast
from tokenizers import decoders, models, pre_tokenizers, processors
from transformers import AutoModel

from mtft.cli.main import run
from mtft.data.packing import pack
from mtft.data.tokenization import load_tokenizer
from mtft.errors import ModelError
from mtft.model.flat import FlatParameters
from mtft.plugin.manager import build_registry
from mtft.runs.checkpoint import load_model
from mtft.testing.parts import part_problems
from mtft.testing.tiny import tiny_table

transformers.logging.set_verbosity_error()

SIZES = {
    "modernbert": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "pad_token_id": 0,
        "cls_token_id": 1,
        "sep_token_id": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
}
KINDS = list(SIZES)
TEXTS = [("A joy from start to end.",), ("Dull!",), ("What is new?", "Nothing that we know of, sadly.")]


def tokenizer() -> tuple[Any, int]:
    """Bytes as pieces, with ModernBERT's special tokens and pair template."""
    pieces = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    fast = Fast(models.BPE({piece: index for index, piece in enumerate(pieces)}, []))
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    fast.add_special_tokens(pieces[:4])
    fast.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return fast, len(pieces)


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A model directory, as transformers writes it, and the model."""
    path = tmp_path_factory.mktemp("models") / request.param
    fast, vocabulary = tokenizer()
    config = transformers.AutoConfig.for_model(request.param, vocab_size=vocabulary, **SIZES[request.param])
    torch.manual_seed(0)
    model = AutoModel.from_config(config).eval()
    for parameter in model.parameters():  # large enough to tell one mistake from another
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(path)
    fast.save(str(path / "tokenizer.json"))
    return path, model


def load(path: Any, **changes: Any) -> Any:
    kind = json.loads((path / "config.json").read_text())["model_type"]
    return getattr(families, kind.upper()).load(path, **changes).eval()


def test_equals_the_model_called_directly(made: Any) -> None:
    path, model = made
    encoder = load(path)
    table, _ = load_tokenizer(path).table(TEXTS, apart=False, max_length=encoder.config.positions)
    batch = pack((table, np.arange(3)))
    packed = encoder(batch)
    theirs = Fast.from_file(str(path / "tokenizer.json"))
    for index, texts in enumerate(TEXTS):
        with torch.no_grad():
            encoding = theirs.encode(*texts)
            ids = torch.tensor([encoding.ids])
            expected = model(input_ids=ids).last_hidden_state[0]
        row = int(batch.inverse[index])
        start, end = int(batch.ends[row]), int(batch.ends[row + 1])
        assert batch.ids[start:end].tolist() == ids[0].tolist()
        torch.testing.assert_close(packed.packed[start:end], expected, rtol=1e-4, atol=1e-5)
        mean = packed.pooled[row] - (expected.mean(0) if encoder.config.mean else expected[0])
        assert float(mean.detach().abs().max()) < 1e-4


def test_gradients_land_in_the_flat_vector(made: Any) -> None:
    path, model = made
    encoder = load(path, dropout=0.0, attention_dropout=0.0)
    flat = FlatParameters(encoder)
    batch = pack((tiny_table(encoder, (5, 3, 9)), np.arange(3)))
    encoder(batch).packed.square().sum().backward()
    assert bool(flat.grad.isfinite().all())
    assert float(flat.grad.abs().max()) > 0
    assert len(flat) == sum(p.numel() for name, p in model.named_parameters() if "pooler" not in name)


def test_texts_of_all_positions_fit(made: Any) -> None:
    encoder = load(made[0])
    most = encoder.config.positions
    assert most == 64
    assert encoder(pack((tiny_table(encoder, (most, 3)), np.arange(2)))).packed.shape == (most + 3, 16)


def test_tensors_that_are_missing_or_unknown_are_named(made: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = made[0]
    tensors = load_file(path / "model.safetensors")
    name, lost = next((name, tensor) for name, tensor in tensors.items() if "pooler" not in name)
    del tensors[name]
    save_file({**tensors, "novel.weight": lost}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((path / "config.json").read_bytes())
    with pytest.raises(ModelError, match=rf"missing tensor {name}\n  unexpected tensor novel.weight"):
        load(tmp_path)


def mtft(*args: object) -> None:
    assert run([str(arg) for arg in args]) == 0


def test_a_run_from_start_to_end(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Plan, train, stop, go on, evaluate and predict; what is not selected keeps its bits."""
    path = made[0]
    steady = (
        "--tasks",
        "sst,sts",
        "--sample",
        "--model",
        path,
        "--schedule",
        "constant",
        "--warmup",
        "0",
        "--batches",
        "2",
        "--augment",
        "none",
        "--max-length",
        "40",
        "--quiet",
    )
    mtft("count-params", "--model", path, "--tasks", "sst,sts", "--json")
    counted = json.loads(capsys.readouterr().out)
    mtft("plan", *steady, "--max-steps", "2", "--json")
    planned = json.loads(capsys.readouterr().out)
    assert planned["memory_bytes"]["train"] > 0
    mtft("train", *steady, "--epochs", "2", "--out", tmp_path / "whole")
    mtft("train", *steady, "--epochs", "1", "--out", tmp_path / "stopped")
    mtft("train", "--resume", tmp_path / "stopped", "--epochs", "2", "--quiet")
    capsys.readouterr()
    for name in ("encoder.safetensors", "heads.safetensors", "mask.safetensors", "model.json"):
        assert (tmp_path / "whole" / "model" / name).read_bytes() == (
            tmp_path / "stopped" / "model" / name
        ).read_bytes()
    trained = load_model(tmp_path / "whole" / "model", build_registry())
    assert counted["stored"] == trained.parameters().stored == planned["parameters"]["stored"]
    base = FlatParameters(load(path)).theta
    same = torch.ones(len(base), dtype=torch.bool)
    same[trained.mask.indices] = False
    assert torch.equal(trained.encoder.theta[same], base[same])
    assert not torch.equal(trained.encoder.theta, base)
    mtft("eval", tmp_path / "whole", "--sample", "--json")
    assert json.loads(capsys.readouterr().out)["tasks"]["sts"]["n"] == 60
    (tmp_path / "pairs").write_text('{"sentence1": "One.", "sentence2": "Two."}\n')
    mtft("predict", tmp_path / "whole", tmp_path / "pairs", "--tasks", "sts")
    assert 0 <= json.loads(capsys.readouterr().out)["sts"]["score"] <= 5
    needs = json.loads((tmp_path / "whole" / "environment.json").read_text())["plugins"]
    assert needs == {"mtft-transformers": {"version": "0.1.0", "gives": [f"encoder {path.name}"]}}


def test_the_parts_conform() -> None:
    assert [problem for part in mtft_encoders() for problem in part_problems("encoder", part)] == []


def test_importing_the_plugin_imports_no_torch() -> None:
    import subprocess

    probe = (
        "import sys, mtft_transformers as m; m.mtft_encoders(); print({'torch', 'transformers'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
