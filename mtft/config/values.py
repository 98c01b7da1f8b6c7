"""Kinds of values that settings take, read from flags, TOML and texts alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _pieces(text: str) -> list[str]:
    """Split comma-separated text; ValueError for an empty name."""
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(pieces):
        raise ValueError(f"{text!r} has an empty name between its commas")
    return pieces


def _names(value: Any) -> Any:
    """Read names from "a,b" or from a list; names given twice are refused."""
    names = _pieces(value) if isinstance(value, str) else value
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is given twice")
    return names


def _pairs(value: Any, form: str) -> dict[str, float]:
    """Read finite numbers by name from "a=1,b=2", from a list of such texts, or from a TOML table."""
    items: Iterable[Any] = _pieces(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        items = [f"{name}={number}" for name, number in value.items()]
    if not isinstance(items, list | tuple):
        raise ValueError(f"{value!r} is not {form}")
    numbers: dict[str, float] = {}
    for item in items:
        name, _, number = str(item).rpartition("=")
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if not name.strip() or not math.isfinite(amount):
            raise ValueError(f"{item!r} is not {form}")
        if name.strip() in numbers:
            raise ValueError(f"{name.strip()!r} is given twice")
        numbers[name.strip()] = amount
    return numbers


def _positive(value: Any, what: str, example: str) -> dict[str, float]:
    """Read numbers above 0 by task; `what` names them in errors."""
    numbers = _pairs(value, f"task={what}, as in {example}")
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"the {what} of {name!r} is {number:g}, not a number > 0")
    return numbers


def _limits(value: Any) -> dict[str, float]:
    limits = _pairs(value, "task.metric=number, as in sts.pearson=0.8")
    for name in limits:
        if not all(name.partition(".")):
            raise ValueError(f"{name!r} is not task.metric, as in sts.pearson")
    return limits


def _size(value: Any) -> Any:
    """Read bytes from "3G" or "512 MiB", in powers of 1024; whole numbers are bytes already."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:iB)?", value.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{value[:80]!r} is not a number of bytes, as in 3G or 512M")
    return int(Decimal(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def size_text(size: float) -> str:
    """Return a number of bytes in readable units."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Return the seconds of a time such as "45s", "10m", "1.5h" or "2d"."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text.strip())
    if match is None or not float(match[1]):
        raise ValueError(f"{text[:80]!r} is not a time above 0, as in 45s, 10m, 1.5h or 2d")
    return float(match[1]) * UNITS[match[2]]


def period(text: str) -> tuple[int, float]:
    """Return (steps, 0) for a number of steps such as "200", (0, seconds) for a time such as "10m"."""
    if re.fullmatch(r"[0-9]{1,18}", text.strip()) and int(text):
        return int(text), 0.0
    try:
        return 0, seconds(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is neither a number of steps above 0 nor a time, as in 200 or 10m") from None


def _duration(value: str) -> str:
    seconds(value)
    return value


def _period(value: str) -> str:
    period(value)
    return value


def cache_bytes(text: str) -> int | None:
    """Return the bytes that a cache may take: 0 for "off", None for "auto" (the caller decides), else the size."""
    if text in ("auto", "off"):
        return 0 if text == "off" else None
    try:
        return int(_size(text))
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not auto, off or a size, as in 8G or 512M") from None


def _cache(value: str) -> str:
    cache_bytes(value)
    return value


def averaging(text: str) -> tuple[Literal["ema", "swa"], float] | None:
    """Return (kind, amount) for "ema:0.99" or "swa:0.5", None for "none"."""
    kind, _, amount = text.partition(":")
    if text == "none":
        return None
    if kind in ("ema", "swa") and re.fullmatch(r"0(\.[0-9]+)?", amount):
        return kind, float(amount)  # type: ignore[return-value]
    raise ValueError(
        f"{text[:80]!r} is not none, ema:DECAY or swa:SHARE with a number from 0 to below 1, as in ema:0.99"
    )


def _averaging(value: str) -> str:
    averaging(value)
    return value


def _rule(value: str) -> str:
    if value not in ("mean", "last") and not all(value.partition(".")):
        raise ValueError(f"{value!r} is not mean, last or task.metric, as in sts.pearson")
    return value


def _jobs(value: str) -> str:
    if value != "auto" and not (re.fullmatch(r"[0-9]{1,4}", value) and int(value)):
        raise ValueError(f"{value[:80]!r} is not auto or a number of processes above 0, as in 4")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
NamesOrNone = Annotated[tuple[str, ...] | None, BeforeValidator(lambda value: () if value == "none" else _names(value))]
Rates = Annotated[dict[str, float], BeforeValidator(lambda value: _positive(value, "rate", "sst=5e-8"))]
Weights = Annotated[dict[str, float], BeforeValidator(lambda value: _positive(value, "factor", "sst=2"))]
Limits = Annotated[dict[str, float], BeforeValidator(_limits)]
Rule = Annotated[str, AfterValidator(_rule)]
Averaging = Annotated[str, AfterValidator(_averaging)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=1)]
CacheSize = Annotated[str, AfterValidator(_cache)]
Duration = Annotated[str, AfterValidator(_duration)]
Jobs = Annotated[
    str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value), AfterValidator(_jobs)
]
Period = Annotated[
    str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value), AfterValidator(_period)
]
