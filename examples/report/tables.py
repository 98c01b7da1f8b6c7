"""Rebuild the tables and the plots from the records, without training: `results.md` and `selection-TASK.svg`.

    python examples/report/tables.py --data-dir DATA

Records hold outputs, not labels: these are read from the data (`--data-dir`, or ``$MTFT_DATA_DIR``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from overlap import FILE
from plans import Table, read_plans
from results import Book, Result, correct_together, differences

from mtft.data.dataset import find_data_dir
from mtft.errors import MtftError
from mtft.io.files import read_json, write_bytes
from mtft.plugin.context import new_context
from mtft.report.charts import Series, line_chart
from mtft.report.drawing import Drawing
from mtft.report.figure import number
from mtft.report.scope import correction
from mtft.report.svg import to_svg

HERE = Path(__file__).parent
HEAD = """# What came of the experiments

Made by `python examples/report/tables.py` from the records under `runs/`. Scores are on the half of dev that chose
no epoch (`--half report`): {sizes}.
Recipes were compared on the other half, with one exception: batches of 32, five epochs and no augmentation, which make
`best`, first looked good on this half. So rows with these may be a little too high here.

Scores are means over seeds. In brackets are 95 % intervals, by bootstrap over rows and, where a table has rows with
several seeds, over seeds too; what seeds add is pooled over the rows of a table. Each row is compared with the first,
on the same dev rows and over the seeds that both have. {correction}

Tokens are those on which encoder and heads train together. MiniLM is all-MiniLM-L6-v2, whose own training saw Quora
duplicates, Flickr30k captions (a source of STS) and NLI pairs.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document and the plots; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="directory of data files (default: $MTFT_DATA_DIR, then ./data)")
    parser.add_argument("--records", type=Path, default=HERE / "runs", help="where runs are recorded")
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples behind each interval")
    asked = parser.parse_args(arguments)
    try:
        data_dir = find_data_dir(asked.data_dir, os.environ.get("MTFT_DATA_DIR"))
        book = Book(read_plans(), asked.records, new_context().registry, data_dir)
        build(book, asked.out, asked.resamples)
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def build(book: Book, out: Path, resamples: int) -> None:
    """Write all tables that have a row that is recorded, and the plots."""
    parts = []
    out.mkdir(parents=True, exist_ok=True)
    found = {name: book.results(table.rows, resamples) for name, table in book.plans.tables.items()}
    for name, results in correct_together(found).items():
        table = book.plans.tables[name]
        missing = [row.name for row in table.rows if not book.seeds(row)]
        if not results:
            continue
        parts.append(section(table, results, missing))
    series = {row.name: row.series for table in book.plans.tables.values() for row in table.rows if row.series}
    for task, drawing in plots(series, [result for results in found.values() for result in results]).items():
        name = f"selection-{task}"
        write_bytes(out / f"{name}.svg", to_svg(drawing, name, alone=True).encode())
        parts.append(f"![{drawing.title}]({name}.svg)\n")
    if (file := book.records / FILE).is_file():
        parts.append(overlap(read_json(file)))
    words = correction([each for results in found.values() for each in differences(results)])
    head = HEAD.format(sizes=sizes(book), correction=f"{words[0].upper()}{words[1:]}.")
    write_bytes(out / "results.md", "\n".join([head, *(parts or ["Nothing is recorded yet.\n"])]).encode())


def sizes(book: Book) -> str:
    """Say how many dev rows of each task are scored."""
    return ", ".join(f"{task} {int(book.rows(task).sum()):,}" for task in book.plans.tasks)


def section(table: Table, results: Sequence[Result], missing: Sequence[str]) -> str:
    """Write one table as Markdown, with the rows that are not recorded yet named below."""
    tasks = list(dict.fromkeys(task for result in results for task in result.scores))
    headers = ["", "seeds", *tasks, "stored", "tunable", "model files", "base model", "tokens"]
    lines = [headers, ["---"] * len(headers), *(_cells(result, tasks) for result in results)]
    text = [f"## {table.title}", "", *(f"| {' | '.join(cells)} |" for cells in lines), ""]
    differences = [
        _difference(result, tasks) for result in results[1:] if any(score.verdict for score in result.scores.values())
    ]
    if differences:
        text += [f"Differences from {results[0].name}:", "", *_rows(tasks, differences), ""]
    if differences:
        text += ["On the half that chooses:", "", *_rows(tasks, (_choosing(result, tasks) for result in results)), ""]
    if missing:
        text += [f"Not run yet: {'; '.join(missing)}.", ""]
    return "\n".join(text)


def _rows(tasks: Sequence[str], rows: Iterable[str]) -> list[str]:
    return ["| | " + " | ".join(tasks) + " |", "|" + " --- |" * (len(tasks) + 1), *rows]


def overlap(found: Mapping[str, Any]) -> str:
    """Write how selections overlap."""
    rows = [f"| {pair['pair']} | {pair['jaccard']:.3f} |" for pair in found["pairs"]]
    chance = f"Two random selections of {float(found['keep']):.0%} would have {found['chance']:.3f} in common."
    how = f" ({' '.join(found['options'])})" if found["options"] else ""
    note = f"Jaccard index of two selections on a quarter of the training data, fresh heads{how}. {chance}"
    return "\n".join(["## How selections overlap", "", note, "", "| | Jaccard index |", "| --- | --- |", *rows, ""])


def _cells(result: Result, tasks: Sequence[str]) -> list[str]:
    counts = result.counts
    return [
        result.name,
        str(len(result.seeds)),
        *(_score(result, task) for task in tasks),
        *(f"{counts[key]:,.0f}" for key in ("stored", "tunable")),
        *(f"{counts[key] / 1e6:.1f} MB" for key in ("bytes", "base_bytes")),
        f"{counts['tokens'] / 1e6:.2f} M",
    ]


def _score(result: Result, task: str) -> str:
    """Write a mean over seeds, its interval, and each seed's score where there are several."""
    if task not in result.scores:
        return "–"
    found, apart = result.scores[task], result.apart[task]
    each = f"; {', '.join(map(number, apart))}" if len(apart) > 1 else ""
    return f"{found} ({found.interval}{each})"


def _difference(result: Result, tasks: Sequence[str]) -> str:
    found = [result.scores.get(task) for task in tasks]
    cells = [", ".join(filter(None, (score.change, score.verdict))) if score else "" for score in found]
    return f"| {result.name} | {' | '.join(cell or '–' for cell in cells)} |"


def _choosing(result: Result, tasks: Sequence[str]) -> str:
    cells = [number(result.choosing[task]) if task in result.choosing else "–" for task in tasks]
    return f"| {result.name} | {' | '.join(cells)} |"


def plots(series: Mapping[str, str], results: Sequence[Result]) -> dict[str, Drawing]:
    """Draw each task's score against the tunable parameters, a line per series; `series` names those of results."""
    drawn = list({result.name: result for result in results if result.name in series}.values())
    names = list(dict.fromkeys(series[result.name] for result in drawn))
    found = {}
    for task in drawn[0].scores if drawn else ():
        lines = [
            Series(
                name,
                tuple(
                    sorted(
                        (result.counts["tunable"] / 1e6, result.scores[task].value)
                        for result in drawn
                        if series[result.name] == name
                    )
                ),
                place,
            )
            for place, name in enumerate(names)
        ]
        title = f"{task}: score by tunable parameters"
        found[task] = line_chart(title, lines, "million tunable parameters", "score", by_step=False)
    return found


if __name__ == "__main__":
    sys.exit(main())
