"""Statistics of a table's rows for one delimiter, counted in one pass, from which its format is detected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mtft.data.cutting import RawRecord, cut, without_end
from mtft.data.dialect import COMMA_NUMBER, DELIMITERS, NUMBER
from mtft.data.labels import mark

FEW = 200
"""Most distinct values of a column that are kept."""

ENOUGH = 10_000
"""Numbers without a comma after which a column counts as having no decimal commas."""

MOST_SUSPECTS = 1000
"""Most records over several lines that are examined."""


@dataclass
class ColumnTally:
    """The values of one column: their counts while they are few, and whether all are numbers.

    A `closed` column can give no new information; its values are only counted.
    """

    values: dict[str, int] = field(default_factory=dict)
    filled: int = 0
    quoted: int = 0
    many: bool = False
    numeric: bool = True
    commas: int = 0
    thousands: int = 0
    marks: int = 0
    points: bool = False
    closed: bool = False

    def add(self, value: str) -> None:
        if not value:
            return
        self.filled += 1
        if self.closed:
            return
        if value in self.values:
            self.values[value] += 1
            return
        if not self.many and (len(self.values) >= FEW or len(value) > 100):
            self.many = True
            for known, count in self.values.items():
                self._measure(known.strip(), count)
            self.values.clear()
        if self.many:
            self._measure(value.strip(), 1)
            self.closed = not self.numeric or (not self.commas and self.filled > ENOUGH)
        else:
            self.values[value] = 1

    def finish(self) -> None:
        """Process the values that were only counted."""
        for value, count in self.values.items():
            self._measure(value.strip(), count)

    def _measure(self, value: str, count: int) -> None:
        if not self.numeric:
            return
        if not value[:1].isdigit() and mark(value):
            self.marks += count
        elif COMMA_NUMBER.fullmatch(value):
            self.commas += count
            whole, _, part = value.lstrip("+-").partition(",")
            self.thousands += count * (len(part) == 3 and 1 <= len(whole) <= 3 and whole != "0")
        elif NUMBER.fullmatch(value):
            self.points = self.points or "." in value
        else:
            self.numeric = False

    @property
    def decimal(self) -> bool:
        """Return whether the column has decimal commas: most numbers have a comma, and not all could be thousands."""
        numbers = self.filled - self.marks
        return self.numeric and not self.points and 2 * self.commas >= numbers > 0 and self.thousands < self.commas

    @property
    def few(self) -> bool:
        """Return whether values repeat, as labels do."""
        return not self.many and 2 * len(self.values) <= self.filled

    def fits(self, value: str) -> bool | None:
        """Return whether a value is like the others; None if the values have nothing in common."""
        if self.few:
            return value in self.values
        if self.numeric and self.filled:
            return bool(NUMBER.fullmatch(value.strip()) or COMMA_NUMBER.fullmatch(value.strip()))
        return None


@dataclass
class TableTally:
    """Counts of a table's rows for one delimiter: rows that do not fit the header, and the use of quotes.

    `bad` counts rows that do not fit if quotes are read, `raw_bad` lines that do not fit if quotes are text. `torn`
    counts opening quotes that are not closed properly, `proven` records whose quotes are needed, `several` records over
    several lines, `blank` lines without text, `stray` records with quotes only inside fields. `swallowing` holds the
    lines whose open quote swallows rows. For a table of one column, `widths` counts (delimiter, fields) of lines that
    could have more columns.
    """

    delimiter: str
    names: list[str]
    first: int
    header_quoted: bool = False
    rows: int = 0
    bad: int = 0
    raw_bad: int = 0
    torn: int = 0
    proven: int = 0
    quoted: int = 0
    quotes: bool = False
    several: int = 0
    blank: int = 0
    stray: int = 0
    columns: list[ColumnTally] = field(default_factory=list)
    widths: Counter[tuple[str, int]] = field(default_factory=Counter)
    swallowing: frozenset[int] = frozenset()

    @property
    def whole_columns(self) -> bool:
        """Return whether every column with quoted values has only quoted values."""
        found = [column for column in self.columns if column.quoted]
        return bool(found) and all(column.quoted == column.filled >= 2 for column in found)

    @property
    def quoted_columns(self) -> bool:
        """Return whether nearly all values of some column are quoted."""
        return any(column.quoted >= 0.9 * column.filled >= 9 for column in self.columns)


def tally(lines: Iterable[str], delimiter: str, header: RawRecord, skipped: int, *, quotes: bool = True) -> TableTally:
    """Count over `lines`, which begin after the `skipped` lines; `header` is the record that names the columns."""
    quoted = bool(header.fields) and len(header.quoted) == len(header.fields)
    found = TableTally(delimiter, header.fields, skipped + 1, quoted)
    found.columns = [ColumnTally() for _ in header.fields]
    suspects: list[RawRecord] = []
    for record in cut(lines, delimiter, quotes, skipped + 1, quick=delimiter not in ("", "\t")):
        if not record.fields and not record.fault:
            found.blank += 1
            continue
        found.rows += 1
        if _count(found, record) and len(record.texts) == 1:
            for column, value in zip(found.columns, record.fields, strict=True):
                column.add(value)
        if len(record.texts) > 1 and len(suspects) < MOST_SUSPECTS:
            suspects.append(record)
    for column in found.columns:
        column.finish()
    found.swallowing = frozenset(each.line for each in suspects if len(found.names) > 1 and _swallows(found, each))
    found.torn += len(found.swallowing)
    found.proven -= len(found.swallowing)
    return found


def _count(found: TableTally, record: RawRecord) -> bool:
    """Count one record; return whether it has as many fields as the header."""
    fits = not record.fault and len(record.fields) == len(found.names)
    found.bad += not fits
    inner = f'{found.delimiter}"'
    if record.fault or any(text.startswith('"') or (found.delimiter and inner in text) for text in record.texts):
        found.quotes = True
        _count_quotes(found, record, len(found.names))
    else:
        found.raw_bad += not fits
        found.stray += any('"' in text for text in record.texts)
    if not found.delimiter and not record.quoted:
        found.widths.update((sign, record.fields[0].count(sign) + 1) for sign in DELIMITERS if record.fields)
    found.several += fits and len(record.texts) > 1
    if fits and len(record.texts) == 1:
        for index in record.quoted:
            found.columns[index].quoted += bool(record.fields[index])
    return fits


def _count_quotes(found: TableTally, record: RawRecord, width: int) -> None:
    found.quoted += len(record.quoted)
    found.torn += bool(record.fault)
    found.proven += record.proven
    for text in record.texts:
        body = without_end(text)
        found.raw_bad += bool(body) and _width(body, found.delimiter) != width


def _width(body: str, delimiter: str) -> int:
    return body.count(delimiter) + 1 if delimiter else 1


def _swallows(found: TableTally, record: RawRecord) -> bool:
    """Return whether a record's inner lines, or both its lines, look like rows by number and kind of fields."""
    lines = record.texts[1:-1] if len(record.texts) > 2 else record.texts
    return all(_is_row(found, without_end(line)) for line in lines)


def _is_row(found: TableTally, line: str) -> bool:
    width = len(found.names)
    fields = line.split(found.delimiter)
    if len(fields) != width:
        (record, *_) = [*cut([line], found.delimiter, quotes=True)] or [RawRecord(1, [], [])]
        fields = record.fields
    if len(fields) != width:
        return False
    fitting = [column.fits(value) for column, value in zip(found.columns, fields, strict=True)]
    return all(fit is not False for fit in fitting) and (True in fitting or width > 2)


def decimal_columns(names: Sequence[str], columns: Sequence[ColumnTally]) -> Iterator[str]:
    """Yield the names of the columns whose numbers have a decimal comma."""
    yield from (name for name, column in zip(names, columns, strict=True) if column.decimal)
