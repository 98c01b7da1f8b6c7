"""``mtft report``: the results of runs as one HTML file and, if wanted, its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtft.config.schema import ReportConfig
from mtft.errors import ConfigError, DataError, setting
from mtft.io.files import write_bytes
from mtft.plugin.context import Context
from mtft.report.page import Page, build_page, render
from mtft.report.run_reader import read_run
from mtft.report.svg import to_svg


@dataclass(frozen=True)
class ReportResult:
    """The paths of page and pictures, and notes on missing parts, by run."""

    path: Path
    figures: tuple[Path, ...]
    missing: dict[str, tuple[str, ...]]


def report(runs: Sequence[Path], config: ReportConfig, context: Context) -> ReportResult:
    """Write the page, and the pictures if they were asked for."""
    if not runs:
        raise ConfigError("nothing to report: give a run directory")
    path = config.out or runs[0] / "report.html"
    for name, taken in (("out", config.out), ("figures", config.figures)):
        if taken is not None and taken.exists() and not config.overwrite:
            raise ConfigError(f"{taken} exists; choose another or give {setting('overwrite', True)}", setting=name)
    if config.data_dir is not None and not config.data_dir.is_dir():
        raise DataError(f"{config.data_dir} is not a directory", setting="data_dir")
    records = [
        read_run(run, label, context, config.data_dir, texts=config.examples > 0, half=config.half)
        for run, label in zip(runs, labels(runs), strict=True)
    ]
    page = build_page(records, resamples=config.resamples, examples=config.examples)
    html = render(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, html.encode())
    figures = write_figures(page, config.figures) if config.figures else ()
    return ReportResult(path, figures, {record.label: record.notes for record in records})


def labels(runs: Sequence[Path]) -> list[str]:
    """Name each run by its directory, with as many parent directories as make the names unique."""
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        twice = next(run for run, path in zip(runs, paths, strict=True) if paths.count(path) > 1)
        raise ConfigError(f"{twice} is given twice")
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(paths):
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in paths]


def write_figures(page: Page, directory: Path) -> tuple[Path, ...]:
    """Write every picture as SVG and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in page.figures().items():
        path = directory / f"{name}.svg"
        write_bytes(path, to_svg(figure.drawing, name, alone=True).encode())
        written.append(path)
    return tuple(written)
