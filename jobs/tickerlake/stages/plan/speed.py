"""How long a stage takes and how large a lake is, from what `stages.plan.life` counts.

The constants are what `python benchmarks/plan.py` prints: CPU seconds (user and system) on the
machine of docs/performance.md with the lake on its disk, and bytes of bars that look like those of
a stock.
"""

from typing import Final, NamedTuple

from tickerlake.stages.plan.life import Life, Work

CORES: Final = 2
"""Of the machine whose seconds are predicted."""


class Speed(NamedTuple):
    """What a stage takes, in CPU seconds.

    Attributes:
        ticker: for each ticker.
        moved: for each object that is read or written.
        bar: for each bar that is held already.
        fresh: for each bar that is brought.
    """

    ticker: float
    moved: float
    bar: float
    fresh: float


class Size(NamedTuple):
    """What an object takes, in bytes.

    Attributes:
        base: in any case; of manifests and the checkpoint for each ticker that they name.
        part: for each bar in it; of a manifest for each blob that it lists.
    """

    base: float
    part: float = 0.0


SPEEDS: Final = {
    "extract": Speed(6.57e-04, 1.25e-03, 3.36e-07, 0),
    "transform": Speed(4.46e-03, 8.16e-04, 1.18e-06, 0),
    "rebuild": Speed(1.03e-02, 5.44e-04, 5.86e-07, 0),
    "compact": Speed(0.00996324, 0, 0, 0),
}

SIZES: Final = {
    "blob": Size(4000, 31),
    "daily": Size(4885, 312),
    "history": Size(3678, 32.7),
    "pack": Size(4000, 60),
    "tickers": Size(3000),
    "manifest": Size(700, 60),
    "receipt": Size(80),
    "entries": Size(60),
    "index": Size(200),
}


def amounts(work: Work) -> tuple[int, int, int, int]:
    """Return what the factors of a `Speed` are multiplied with."""
    return work.tickers, work.get + work.put, work.bars, work.fresh


def cpu(stage: str, work: Work) -> float:
    """Return the CPU seconds of a stage's work."""
    return sum(a * b for a, b in zip(SPEEDS[stage], amounts(work), strict=True))


def seconds(stage: str, work: Work, requests_per_second: float) -> float:
    """Return how long a stage takes; an extraction also waits for its source."""
    waiting = work.tickers / requests_per_second if stage == "extract" else 0.0
    return max(waiting, cpu(stage, work) / CORES)


def size(life: Life) -> float:
    """Return the bytes of all objects of a lake."""
    return life.tickers * sum(_ticker(life).values()) + _log(life)


def _ticker(life: Life) -> dict[str, float]:
    """Return the bytes of a ticker's objects, by kind."""
    partitions = life.partitions.values()
    loose = [each for each in partitions if each.loose]
    packed = [each for each in partitions if each.packed]
    return {
        "blob": _all("blob", sum(each.loose for each in loose), sum(each.bars for each in loose)),
        "pack": _all("pack", len(packed), sum(each.bars for each in packed)),
        "daily": life.is_transformed * _all("daily", len(partitions), life.bars),
        "history": life.is_transformed * _all("history", 1, life.bars),
        "tickers": life.is_transformed * SIZES["tickers"].base,
        "index": life.is_transformed * SIZES["index"].base,
    }


def _all(kind: str, objects: int, parts: int) -> float:
    return SIZES[kind].base * objects + SIZES[kind].part * parts


def _log(life: Life) -> float:
    """Return the bytes of manifests, receipts and the checkpoint."""
    return (
        _all("manifest", life.said, life.listed)
        + _all("receipt", len(life.tail), 0)
        + _all("entries", life.folded, 0)
    )


def replaced(life: Life) -> float:
    """Return the bytes of the versions that a day replaces."""
    each = _ticker(life)
    newest = 0.0 if life.grain == "day" else daily(life)
    return life.tickers * (each["history"] + each["tickers"] + each["index"] + newest)


def daily(life: Life) -> float:
    """Return the bytes of a file of `daily`, on average."""
    return _ticker(life)["daily"] / max(1, len(life.partitions))
