"""The harness itself: peers do the work that mtft does, and figures come out. Nothing here measures."""

from __future__ import annotations

import importlib.util
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtft.data.dataset import sample_dir
from mtft.optimization.gradients import accumulate
from mtft.optimization.surgery import gram, pcgrad
from tests.benchmarks import report
from tests.benchmarks.__main__ import main
from tests.benchmarks.bench_data import measure, write_rows
from tests.benchmarks.bench_growth import slope
from tests.benchmarks.limit import step_flops
from tests.benchmarks.peers import LibMTL, Peer, Plain, TorchJD
from tests.benchmarks.process import run_python
from tests.benchmarks.session import Candidate, CandidateError, Figure, Session
from tests.benchmarks.workload import TASKS, Workload, batches, model, parts, sources

pytest.importorskip("transformers")
SIZE = 24


@pytest.fixture
def work(tiny_model: Path, tmp_path: Path) -> dict[str, Any]:
    return asdict(
        Workload(
            data=str(sample_dir()), cache=str(tmp_path), model=str(tiny_model), augment=True, dropout=False, threads=1
        )
    )


def ours(work: dict[str, Any]) -> tuple[list[float], Tensor, list[dict[str, Tensor]], Any]:
    """Losses, encoder gradients [T, P] and head gradients of mtft on the first batch."""
    given = Workload(**work)
    found = sources(given)
    whole, flat = model(given)
    rows = batches(found, SIZE)[0]
    losses, gradients, heads = [], [], []
    for task in TASKS:
        flat.zero_grad()
        losses.append(accumulate(whole, parts(found, rows, task), budget=256))
        gradients.append(flat.grad.clone())
        heads.append({name: p.grad.clone() for name, p in whole.heads[task].named_parameters() if p.grad is not None})
    return losses, torch.stack(gradients), heads, (whole, flat, found, rows)


def theirs(peer: Peer, flat: Any, like: Any) -> Tensor:
    """A peer's encoder gradient in the order of mtft's flat vector."""
    from mtft.encoder.pretrained import hub_names

    grads = {name: p.grad for name, p in peer.model.encoder.named_parameters() if p.grad is not None}
    names = hub_names(like.encoder.config)
    return torch.cat([torch.cat([grads[part] for part in names[name]]).reshape(-1) for name in flat.names])


def test_plain_peer_has_the_same_losses_and_gradients(work: dict[str, Any]) -> None:
    losses, gradients, heads, (whole, flat, _, rows) = ours(work)
    for micro in (None, 5):
        peer = Plain(work, micro=micro)
        peer.gradients(rows)
        torch.testing.assert_close(theirs(peer, flat, whole), gradients.sum(0), rtol=1e-4, atol=1e-6)
    found = [float(peer.task_loss(task, chosen)[0].detach()) for task, chosen in peer.present(rows)]
    assert found == pytest.approx(losses, rel=1e-5)
    for task, head in zip(TASKS, heads, strict=True):
        for name in ("feed_forward.weight", "projection.bias"):
            mine = dict(peer.model.heads[task].named_parameters())[name].grad
            torch.testing.assert_close(mine, head[name], rtol=1e-4, atol=1e-6)
    assert len(heads) == 3


@pytest.mark.parametrize("joined", [False, True])
def test_libmtl_projects_these_gradients(work: dict[str, Any], joined: bool) -> None:
    if importlib.util.find_spec("LibMTL") is None:
        pytest.skip("LibMTL is not installed; `make bench` installs it")
    _, gradients, _, (whole, flat, _, rows) = ours(work)
    peer = LibMTL(work, joined=joined)
    random.seed(3)
    peer.gradients(rows)
    random.seed(3)
    orders = []
    for task in range(3):
        order = [0, 1, 2]
        random.shuffle(order)
        orders.append([other for other in order if other != task])
    expected = pcgrad(gram(gradients), orders).float() @ gradients
    torch.testing.assert_close(theirs(peer, flat, whole), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # only without dropout, so not where time is taken
def test_torchjd_projects_these_gradients(work: dict[str, Any]) -> None:
    pytest.importorskip("torchjd")
    _, gradients, _, (whole, flat, _, rows) = ours(work)
    peer = TorchJD(work)
    peer.gradients(rows)
    found = theirs(peer, flat, whole)
    orders = [[[1, 2], [2, 1]], [[0, 2], [2, 0]], [[0, 1], [1, 0]]]
    K = gram(gradients)
    possible = [pcgrad(K, [a, b, c]).float() @ gradients for a in orders[0] for b in orders[1] for c in orders[2]]
    assert min(float((found - one).norm() / one.norm()) for one in possible) < 1e-3


def test_limit_counts_by_hand(work: dict[str, Any]) -> None:
    given = Workload(**work)
    found = sources(given)
    rows = {"sst": np.array([0, 1])}
    lengths = [int(x) for x in found[0].table.lengths[:2]]
    c = given.config()
    h, i = c.hidden_size, c.intermediate_size
    per_layer = sum(6 * n * (4 * h * h + 2 * h * i) + 12 * n * n * h for n in lengths)
    last = 2 * 6 * (h * h + 4 * h * h + 2 * h)
    assert step_flops(found, rows, c) == pytest.approx((c.layers + 1) * per_layer + last)


def test_slope() -> None:
    assert slope([(10, 3.0), (20, 12.0), (40, 48.0)]) == pytest.approx(2.0)


def test_failing_candidate_is_reported(work: dict[str, Any], tmp_path: Path) -> None:
    session = Session(work, repeats=1, quick=True, out=tmp_path / "out.json", tell=lambda text: None)
    session.begin("s", {})
    bad = Candidate("bad", "tests.benchmarks.peers:absent")
    good = Candidate("mtft", "tests.benchmarks.ours:training")
    assert session.compare("s", good, bad, [{"size": 8, "index": 0}], what="a", against="b") == []
    (figure,) = json.loads((tmp_path / "out.json").read_text())["figures"]
    assert figure["value"] is None
    assert "bad: " in figure["note"]
    with pytest.raises(CandidateError), session.workers(bad) as (worker,):
        worker(size=1, index=0)


def test_sections_of_the_file_stay_until_they_are_measured_anew(work: dict[str, Any], tmp_path: Path) -> None:
    def measured(sections: str, value: float) -> dict[str, Any]:
        session = Session(work, repeats=1, quick=True, out=tmp_path / "out.json", tell=lambda text: None)
        for section in sections:
            session.begin(section, {"date": f"day {value}"})
            for what in "xy":
                session.add(Figure(section, what, "z", value))
        found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
        return found

    measured("abc", 1)
    found = measured("bd", 2)
    assert {name: about["date"] for name, about in found["sections"].items()} == {
        "a": "day 1",
        "b": "day 2",
        "c": "day 1",
        "d": "day 2",
    }
    values = [(figure["section"], figure["what"], figure["value"]) for figure in found["figures"]]
    assert values == [
        ("a", "x", 1),
        ("a", "y", 1),
        ("b", "x", 2),
        ("b", "y", 2),
        ("c", "x", 1),
        ("c", "y", 1),
        ("d", "x", 2),
        ("d", "y", 2),
    ]


def test_made_up_rows_are_those_of_their_seed(tmp_path: Path) -> None:
    for name, rows, seed in (("a", 300, 0), ("b", 300, 0), ("c", 300, 1), ("long", 10_001, 0)):
        write_rows(tmp_path / name, rows, seed)
    one, same, other = ((tmp_path / name).read_text() for name in "abc")
    assert one == same != other
    header, *lines = one.splitlines()
    assert (header, len(lines)) == ("text,label", 300)
    assert {line.partition(",")[2] for line in lines} == {"0", "1"}
    assert all(4 <= len(line.split()) <= 15 for line in lines)
    assert len((tmp_path / "long").read_text().splitlines()) == 10_002


@pytest.mark.slow
def test_rows_are_measured_against_datasets(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    session = Session({"cache": str(tmp_path)}, repeats=1, quick=True, out=tmp_path / "out.json", tell=lambda _: None)
    session.begin("data", {})
    measure(session, (40, 80))
    assert [figure.note for figure in session.figures] == [""] * 6
    assert all(figure.value for figure in session.figures[:4])


def test_a_program_that_fails_has_its_last_words() -> None:
    ran = run_python(["-c", "print(sum(range(10**6)))"])
    assert (ran.text, ran.seconds > 0, ran.peak > 2**20) == ("499999500000\n", True, True)
    with pytest.raises(RuntimeError, match=r"^python -c import sys; sys\.exit\('why'\): code 1: why$"):
        run_python(["-c", "import sys; sys.exit('why')"])


@pytest.mark.slow
def test_all_figures_come_out(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, page = tmp_path / "out.json", tmp_path / "page.md"
    main(
        [
            "--quick",
            "--repeats",
            "1",
            "--threads",
            "1",
            "--model",
            str(tiny_model),
            "--data-dir",
            str(sample_dir()),
            "--out",
            str(out),
            "--page",
            str(page),
        ]
    )
    figures = json.loads(out.read_text())["figures"]
    missing = [figure for figure in figures if figure["value"] is None and "LibMTL" not in figure["against"]]
    assert missing == []
    sections = {figure["section"] for figure in figures}
    assert sections >= {"training step", "memory", "select", "refine", "predict", "start", "data"}
    assert "not measured" not in page.read_text().replace("LibMTL", "") or "LibMTL" in page.read_text()
    assert page.with_suffix(".svg").read_text().startswith("<svg")
    assert "reached" in capsys.readouterr().out


def test_page_says_what_was_reached() -> None:
    figure = {
        "section": "s",
        "what": "a",
        "against": "b",
        "value": 3.0,
        "unit": "x",
        "runs": [2.9, 3.1],
        "goal": {"sense": "at least", "value": 2.5},
        "raw": {"a": {"seconds": 1.0}},
        "note": "",
        "reached": True,
    }
    failed = {**figure, "value": None, "runs": [], "reached": False, "note": "not measured: no memory"}
    sections = {"s": {"machine": "one", "date": "today"}, "t": {"machine": "one", "date": "yesterday"}}
    results = {"sections": sections, "figures": [figure, failed, {**figure, "section": "t"}]}
    text = report.markdown(results, "plot.svg")
    assert text.count("- machine: one") == 1
    assert "## S\n\nDate: today.\n\n|" in text
    assert "## T\n\nDate: yesterday.\n\n|" in text
    assert "| a | b | 3.00 x | 2.90 to 3.10 | at least 2.5 | yes |" in text
    assert "| a | b | not measured |  | at least 2.5 | no |" in text
    assert "no memory" in text
    assert report.svg([figure, failed]).count("<rect") == 1
