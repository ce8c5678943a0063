"""Verify: derive everything from raw again, and say whether the lake equals it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, history, layout, manifests, refresh
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import digest, from_parquet, partitions
from tickerlake.stages.rounds import by_ticker


def verify(
    lake: Lake, *, workers: int, progress: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Compare `history` and `refined` with what raw gives, and every blob with its name.

    Runs that the transformer has yet to process are left out of the comparison.

    Args:
        lake: the lake.
        workers: tickers in work at the same time.
        progress: is called with each ticker that has been compared.

    Returns:
        The differences, one line each; none when the lake is what raw says.

    Raises:
        StoreError: the lake can't be read.
        CorruptObjectError: a manifest can't be read.
    """
    store = lake.store
    done = set(manifests.all_ids(store)) - set(manifests.pending_ids(store))
    everything = manifests.read_all(store, done)
    stored = refresh.stored_partitions(lake)
    tickers = sorted(by_ticker(everything).keys() | stored.keys())

    def one(ticker: str) -> list[str]:
        try:
            return list(_differences(lake, ticker, everything, stored.get(ticker, set())))
        except CorruptObjectError as error:
            return [str(error)]

    findings = []
    with ThreadPoolExecutor(workers) as pool:
        for ticker, found in zip(tickers, pool.map(one, tickers), strict=True):
            findings += found
            progress(ticker)
    return findings


def _differences(
    lake: Lake, ticker: str, everything: list[Manifest], stored: set[str]
) -> Iterator[str]:
    yield from _misnamed(lake, ticker, everything)
    derived = history.rebuild(lake, ticker, everything)
    held, _ = history.read(lake, ticker)
    if not held.bars.equals(derived.bars) or (held.splits, held.last) != (
        derived.splits,
        derived.last,
    ):
        yield f"{layout.history(ticker)} is not what raw gives"
    expected = dict(partitions(refresh.refined(derived), lake.grain))
    for partition in sorted(expected.keys() | stored):
        key = layout.daily(partition, ticker)
        data = lake.store.get(key)
        if data is None:
            yield f"{key} is missing"
        elif partition not in expected:
            yield f"{key} should not be there"
        elif not from_parquet(data, key).equals(expected[partition]):
            yield f"{key} is not what raw gives"


def _misnamed(lake: Lake, ticker: str, everything: list[Manifest]) -> Iterator[str]:
    named = {
        (partition, name)
        for manifest in everything
        if ticker in manifest.tickers
        for partition, name in manifest.tickers[ticker].blobs.items()
    }
    for partition, name in sorted(named):
        key = layout.blob(layout.RAW, partition, ticker, name)
        data = lake.store.get(key)
        if data is None:
            yield f"{key} is listed by a manifest, but is not there"
        elif digest(from_parquet(data, key)) != name:
            yield f"{key} does not hold the rows that it is named after"
