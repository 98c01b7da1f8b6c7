"""The encoder equals transformers' BertModel in values and gradients, whatever shares the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_parity import assert_gradients_equal, read_texts, spans, worst_difference
from factories import packed
from torch import Tensor

from mtft.data.dataset import sample_dir
from mtft.data.tokenization import TokenTable, load_tokenizer
from mtft.encoder.bert import Encoder, EncoderConfig, initialise
from mtft.encoder.pretrained import hub_tensors, load_encoder
from mtft.runtime.seeding import seeded
from mtft.testing.tiny import TINY, device_of_tests, tiny_batch, tiny_encoder, tiny_table

transformers = pytest.importorskip("transformers")
DEVICE = device_of_tests()


def oracle(directory: Path) -> Any:
    model = transformers.BertModel.from_pretrained(directory, local_files_only=True)
    return model.float().eval().to(DEVICE)


def tables(data: Path, model: Path, max_length: int = 512) -> list[TokenTable]:
    tokenizer = load_tokenizer(model)
    return [tokenizer.table(rows, apart=False, max_length=max_length)[0] for rows in read_texts(data)]


def saved(model: Any, directory: Path) -> Path:
    model.save_pretrained(directory, safe_serialization=True)
    return directory


def random_bert(**sizes: Any) -> Any:
    """A BertModel with random weights everywhere, biases and LayerNorms too."""
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**sizes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(DEVICE)


# ---- Values


@pytest.mark.slow
@pytest.mark.real_data
def test_outputs_equal_transformers_on_200_real_examples(minilm: Path, real_data: Path) -> None:
    encoder, model, found = load_encoder(minilm).eval().to(DEVICE), oracle(minilm), tables(real_data, minilm)
    assert sum(map(len, found)) == 200
    assert min(table.lengths.min() for table in found) < 10
    assert max(table.lengths.max() for table in found) > 300
    for table in found:  # one by one: transformers' own rounding grows with padding
        assert worst_difference(encoder, model, table, budget=1) <= 1e-5


def test_outputs_equal_transformers_on_sample_texts(minilm: Path) -> None:
    encoder, model = load_encoder(minilm).eval().to(DEVICE), oracle(minilm)
    for table in tables(sample_dir(), minilm, max_length=64):
        few = np.linspace(0, len(table) - 1, 6).astype(np.int64)
        kept = TokenTable(
            np.concatenate([table.ids[spans(table)[row]] for row in few]),
            np.concatenate([table.segments[spans(table)[row]] for row in few]),
            np.cumsum([0, *table.lengths[few]]),
            1,
        )
        assert worst_difference(encoder, model, kept) <= 1e-5


@pytest.mark.slow
def test_outputs_equal_transformers_on_a_random_bert_base(tmp_path: Path) -> None:
    model = random_bert()
    encoder = load_encoder(saved(model, tmp_path)).eval().to(DEVICE)
    assert encoder.config == EncoderConfig()
    table = tiny_table(encoder, [1, 2, 17, 17, 40, 128, 3], seed=1)
    assert worst_difference(encoder, model, table) <= 1e-5


def tiny_pair(tmp_path: Path) -> tuple[Encoder, Any]:
    sizes = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = random_bert(**sizes, intermediate_size=32, max_position_embeddings=48, initializer_range=0.2)
    return load_encoder(saved(model, tmp_path)).eval().to(DEVICE), model


def test_outputs_equal_transformers_on_a_tiny_model(tmp_path: Path) -> None:
    """In float64 to its rounding: what is left in float32 is rounding too."""
    encoder, model = tiny_pair(tmp_path)
    table = tiny_table(encoder, [1, 48, 5, 5, 5, 2])
    assert worst_difference(encoder, model, table) <= 1e-5
    assert worst_difference(encoder.double(), model.double(), table) <= 1e-13


# ---- Gradients


def test_gradients_equal_transformers_on_a_tiny_model(tmp_path: Path) -> None:
    encoder, model = tiny_pair(tmp_path)
    assert_gradients_equal(encoder, model, tiny_table(encoder, [1, 48, 5, 5, 5, 2]))


def test_gradients_equal_transformers_on_minilm(minilm: Path) -> None:
    encoder = load_encoder(minilm).eval().to(DEVICE)
    assert_gradients_equal(encoder, oracle(minilm), tiny_table(encoder, [3, 25, 25, 60], seed=2))


@pytest.mark.slow
def test_gradients_equal_transformers_on_a_random_bert_base(tmp_path: Path) -> None:
    model = random_bert()
    encoder = load_encoder(saved(model, tmp_path)).eval().to(DEVICE)
    assert_gradients_equal(encoder, model, tiny_table(encoder, [2, 17, 30], seed=3))


# ---- Properties


def test_an_example_does_not_depend_on_what_shares_its_batch_or_on_the_order() -> None:
    encoder = tiny_encoder().eval()
    table = tiny_table(encoder, [4, 9, 4, 1, 20, 9])
    with torch.no_grad():
        alone = torch.cat([encoder(packed((table, np.array([row])))).pooled for row in range(6)])
        for rows in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4], [2, 2, 4], [1]):
            output = encoder(packed((table, np.array(rows))))
            torch.testing.assert_close(output.batch.restore(output.pooled), alone[rows], rtol=0, atol=1e-6)


def test_outputs_are_read_as_cls_mean_and_padded() -> None:
    encoder = tiny_encoder().eval()
    output = encoder(tiny_batch(encoder, [3, 1, 3, 5]))
    hidden, mask = output.padded()
    assert output.batch.lengths == (1, 3, 3, 5)
    assert hidden.shape == (4, 5, 16)
    assert mask.sum(1).tolist() == [1, 3, 3, 5]
    assert not bool(hidden[~mask].any())
    assert torch.equal(hidden[mask], output.packed)
    assert torch.equal(output.cls(), hidden[:, 0])
    torch.testing.assert_close(output.mean(), hidden.sum(1) / mask.sum(1, keepdim=True))
    assert encoder.pooler is not None
    torch.testing.assert_close(output.pooled, encoder.pooler(output.cls()).tanh())


def test_dropout_is_drawn_from_the_seed_and_only_in_training() -> None:
    encoder = tiny_encoder()
    batch = tiny_batch(encoder, [4, 9, 4])

    def pooled(training: bool, *names: object) -> Tensor:
        with seeded(*names), torch.no_grad():
            result: Tensor = encoder.train(training)(batch).pooled
            return result

    assert torch.equal(pooled(True, 1), pooled(True, 1))
    assert not torch.equal(pooled(True, 1), pooled(True, 2))
    assert torch.equal(pooled(False, 1), pooled(False, 2))


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_both_dropouts_act_and_a_probability_of_zero_is_none(kind: str) -> None:
    none = replace(TINY, dropout=0.0, attention_dropout=0.0)
    half = replace(none, dropout=0.5) if kind == "dropout" else replace(none, attention_dropout=0.5)
    encoders = [Encoder(none), Encoder(half)]
    for encoder in encoders:
        encoder.to(DEVICE).load_state_dict(tiny_encoder().state_dict())
    batch = tiny_batch(encoders[0], [4, 9, 4])
    evaluated = tiny_encoder().eval()(batch).pooled
    with seeded(0):
        none, some = (encoder.train()(batch).pooled for encoder in encoders)
    torch.testing.assert_close(none, evaluated)
    assert not torch.allclose(some, evaluated)


def test_fresh_weights_are_drawn_as_bert_does() -> None:
    encoder = Encoder(replace(TINY, hidden_size=64))
    initialise(encoder, torch.Generator().manual_seed(0), scale=0.5)
    assert float(hub_tensors(encoder)["pooler.dense.weight"].std()) == pytest.approx(0.5, rel=0.05)
    for name, tensor in hub_tensors(encoder).items():
        if name.endswith("bias"):
            assert not bool(tensor.any()), name
        elif "LayerNorm" in name:
            assert bool((tensor == 1).all()), name
