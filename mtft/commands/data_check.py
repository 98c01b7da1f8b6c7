"""``mtft data check``: all findings about the files of some tasks, and cleaned copies of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from mtft.config.schema import DataCheckConfig
from mtft.data.audit.contents import length_findings
from mtft.data.audit.findings import SEVERITIES, Finding
from mtft.data.audit.repair import deletion_diff, without_rows
from mtft.data.audit.scan import Scan, scan_file
from mtft.data.audit.split_reader import Split
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.directory import find_model
from mtft.errors import ConfigError, DataError
from mtft.io.directories import replaced_directory
from mtft.io.files import write_bytes
from mtft.model.multitask import encoder_family
from mtft.plugin.context import Context
from mtft.tasks.task import Source
from mtft.training.choices import data_directory
from mtft.training.data_warnings import how_read, read_splits, split_findings
from mtft.training.preparation import choose_sources
from mtft.training.shared_splits import SplitReader

DIFF = "changes.diff"
"""Name of the diff that is written with cleaned files."""


@dataclass(frozen=True)
class CheckedFile:
    """One file read: how many rows it has in how many lines."""

    path: Path
    source: str
    split: str
    rows: int
    lines: int


@dataclass(frozen=True)
class Fixed:
    """Cleaned copies: where they are, and the rows left out of each file, by name."""

    path: Path
    dropped: dict[str, int]


@dataclass(frozen=True)
class DataCheckResult:
    """The files read and the findings, the most serious ones first; `fixed` with cleaned copies."""

    files: tuple[CheckedFile, ...]
    findings: tuple[Finding, ...]
    fixed: Fixed | None = None

    def counts(self) -> dict[str, int]:
        """Return the number of findings by severity."""
        numbers = Counter(finding.severity for finding in self.findings)
        return {severity: numbers[severity] for severity in SEVERITIES}


def check_data(config: DataCheckConfig, context: Context) -> DataCheckResult:
    """Check the train, dev and test files of tasks and of the sources that train with them."""
    fix = config.fix
    if fix and fix.exists() and (not fix.is_dir() or any(fix.iterdir()) or fix.resolve() == Path.cwd()):
        raise ConfigError(f"{config.fix} is there already; cleaned copies go to a new directory", setting="fix")
    tasks = tuple(context.registry.task(name) for name in config.tasks)
    data_dir = data_directory(config)
    reader = SplitReader(data_dir)
    sources = choose_sources(context.registry, tasks, config.augment, reader, context.notify)
    splits = read_splits(sources, tasks, ("train", "dev", "test"), reader)
    for line in how_read(splits):
        context.notify("info", line)
    findings = [_weighed(finding, config) for finding in _findings(splits, sources, config, context)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    files = tuple(
        CheckedFile(scan.path, each.source, each.split, scan.rows, scan.lines) for each in splits for scan in each.scans
    )
    fixed = write_fixed(config.fix, data_dir, splits, findings) if config.fix else None
    return DataCheckResult(files, tuple(findings), fixed)


def _weighed(finding: Finding, config: DataCheckConfig) -> Finding:
    """Return a finding with the severity that it has for `train` with the same settings."""
    if finding.check == "label-missing" and config.strict:
        return finding.but("error")
    of_rows = finding.severity == "error" and finding.drop
    return finding.but("warning") if of_rows and config.skip_bad_rows else finding


def _findings(
    splits: Sequence[Split], sources: Sequence[tuple[Source, str]], config: DataCheckConfig, context: Context
) -> Iterator[Finding]:
    yield from split_findings(splits)
    if config.model:
        apart = {source.name: source.input == "apart" for source, _ in sources}
        directory = find_model(config.model)
        tokenizer = load_tokenizer(directory)
        max_length = config.max_length or encoder_family(directory, context.registry).read_config(directory).positions
        for split in splits:
            yield from length_findings(split, tokenizer, apart=apart[split.source], max_length=max_length)


def write_fixed(out: Path, data_dir: Path, splits: Sequence[Split], findings: Sequence[Finding]) -> Fixed:
    """Write copies without the rows that findings drop, and a diff; skip files outside of the data directory."""
    drops = _drops(splits, findings)
    readings = {each.path: each for split in splits for each in split.scans if each.trouble is None}
    home, dropped, diff = data_dir.resolve(), {}, b""
    with replaced_directory(out) as fresh:
        for path, reading in readings.items():
            resolved = path.resolve()
            if not resolved.is_relative_to(home):
                continue
            name, lines, scan = resolved.relative_to(home), drops[str(path)], scan_file(path, reading.layout)
            if (scan.dialect, len(scan.rows), scan.lines) != (reading.dialect, reading.rows, reading.lines):
                raise DataError(f"{path}: changed while it was read")
            _check_cuttable(scan, lines)
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(fresh / name, without_rows(scan, lines) if scan.as_stored else path.read_bytes())
            diff += deletion_diff(name.as_posix(), scan, lines)
            dropped[name.as_posix()] = _rows_at(scan, lines)
        write_bytes(fresh / DIFF, diff)
    return Fixed(out, dropped)


def _check_cuttable(scan: Scan, lines: set[int]) -> None:
    """Raise ConfigError if rows should be left out of a file in which a row is not a separate range of bytes."""
    if lines and not (scan.as_stored and scan.dialect and scan.dialect.form != "json"):
        raise ConfigError(
            f"{scan.path}: rows cannot be cut out of a JSON array, an archive or another encoding than UTF-8; convert "
            "it first",
            setting="fix",
        )


def _drops(splits: Sequence[Split], findings: Sequence[Finding]) -> Mapping[str, set[int]]:
    """Return the lines to leave out of each file: leaks, and rows that no source can use."""
    readers, against = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for split in splits:
        origins = split.examples.origins(np.arange(len(split.examples))), [each.origin for each in split.problems]
        for origin in chain(*origins):
            readers[origin].add(f"{split.source} {split.split}")
    for finding in findings:
        for origin in finding.drop:
            leak = finding.check.startswith("leakage")
            against[origin] |= readers[origin] if leak else {f"{finding.source} {finding.split}"}
    drops: Mapping[str, set[int]] = defaultdict(set)
    for origin, voices in against.items():
        path, _, line = origin.rpartition(":")
        if voices >= readers[origin]:
            drops[path].add(int(line) if line.isdecimal() else 0)
    return drops


def _rows_at(scan: Scan, lines: set[int]) -> int:
    return sum(row.line in lines for row in scan.rows)
