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
        run: in any case.
        ticker: for each ticker.
        moved: for each object that is read or written.
        bar: for each bar that is held already.
        fresh: for each bar that is brought.
    """

    run: float
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
    "extract": Speed(0.00e00, 1.21e-03, 1.21e-03, 4.13e-07, 5.63e-06),
    "transform": Speed(0.00e00, 5.34e-03, 8.18e-04, 6.41e-07, 9.36e-06),
    "rebuild": Speed(1.63e-02, 8.44e-03, 5.28e-04, 2.08e-06, 0.00e00),
    "compact": Speed(1.18e-02, 3.84e-03, 8.27e-04, 0.00e00, 0.00e00),
}

SIZES: Final = {
    "blob": Size(4002, 31.1),
    "daily": Size(4797, 311.5),
    "history": Size(3639, 32.9),
    "pack": Size(4773, 28.5),
    "tickers": Size(2616),
    "manifest": Size(534.1, 54.3),
    "receipt": Size(61),
    "entries": Size(51.0),
    "index": Size(105.2),
}


def amounts(work: Work) -> tuple[int, ...]:
    """Return what the factors of a `Speed` are multiplied with."""
    return work.runs, work.tickers, work.get + work.put, work.bars, work.fresh


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
