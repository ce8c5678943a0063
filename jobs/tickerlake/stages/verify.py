"""Verify: derive everything from raw again, and check that every engine reads what raw says."""

import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import polars as pl

from tickerlake.engines.local import spread
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, backlog, blobs, derived, history, index, layout, manifests, notes
from tickerlake.lake.backlog import Survey
from tickerlake.lake.fold import History
from tickerlake.lake.history import Span, Stored
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import from_parquet, to_parquet
from tickerlake.lake.parquet_statistics import lies
from tickerlake.stages import verify_packs, verify_runs
from tickerlake.stages.findings import Finding, Kind

log = logging.getLogger(__name__)

_TABLES: Final = (
    layout.RAW, layout.QUARANTINE, layout.HISTORY, layout.DAILY, layout.TICKERS,
)  # fmt: skip


def verify(
    lake: Lake, *, workers: int, progress: Callable[[str], None] = lambda _: None
) -> list[Finding]:
    """Compare `history` and `refined` with what raw gives, and every object with its name.

    What a run delivers that the transformer has yet to process does not count as a difference, but
    the run is reported as pending.

    Args:
        lake: the lake.
        workers: tickers in progress at the same time.
        progress: is called with each ticker that has been compared.

    Returns:
        What is not as it should be; nothing when every engine would read what raw says.

    Raises:
        StoreError: the lake can't be read.
    """
    try:
        survey = backlog.survey(lake.store)
        found, everything = verify_runs.manifests_of(lake, survey)
    except CorruptObjectError as error:
        return [Finding("checkpoint", error.key, str(error))]  # which runs there are is not known
    if wrong := _marker(lake, everything):
        return [wrong]  # nothing else can be said before this is put right
    stored = derived.stored(lake)
    named = {name for each in everything for name in each.tickers}
    check = _Check(lake, survey, everything, stored)

    def one(ticker: str) -> tuple[str, list[Finding]]:
        return ticker, list(check.ticker(ticker))

    by_ticker = {}
    for ticker, findings in spread(one, sorted(named | stored.keys()), workers):
        by_ticker[ticker] = findings
        progress(ticker)
    found += [finding for ticker in sorted(by_ticker) for finding in by_ticker[ticker]]
    return list(dict.fromkeys([*found, *_unfinished(lake, survey), *_strays(lake)]))


def _marker(lake: Lake, everything: Sequence[Manifest]) -> Finding | None:
    entries = (entry for each in everything for entry in each.tickers.values())
    grain = layout.grain_of(partition for entry in entries for partition in entry.blobs)
    if grain in (None, lake.grain):
        return None
    text = f"says that partitions are by {lake.grain}, but those of raw are by {grain}"
    return Finding("marker", layout.LAKE, text)


def _unfinished(lake: Lake, survey: Survey) -> Iterator[Finding]:
    for run_id in survey.pending:
        yield Finding("pending", layout.run(run_id), "has not been processed yet", run_id=run_id)
    for ticker, run_ids in survey.behind.items():
        note = notes.read_behind(lake.store, ticker, run_ids)
        if note:
            text = f"says that {ticker} is behind since run {run_ids[0]}: {note.reason}"
            kind: Kind = "behind" if backlog.is_hopeless(note, run_ids) else "retried"
            yield Finding(kind, layout.behind(ticker, run_ids[-1]), text, ticker)
    for key in sorted(lake.store.keys(layout.RECHECK)):
        try:
            notes.read_recheck(lake.store, key)
        except CorruptObjectError:
            yield Finding("note", key, "can't be read")


def _strays(lake: Lake) -> Iterator[Finding]:
    for key in lake.store.obstacles():
        yield Finding("obstacle", key, "is a folder or a link to nothing instead of a file")
    for key in strays(lake):
        yield Finding(
            "stray", key, "does not belong to the lake, but engines read it as part of a table"
        )


def strays(lake: Lake) -> list[str]:
    """Return the keys that do not belong to the lake, but that engines read as part of a table."""
    found = (
        each.key
        for prefix in _TABLES
        for each in lake.store.find_all(prefix)
        # S3's consoles and clients make an empty object for a folder
        if each.size or "." in each.key.rpartition("/")[2].partition("=")[0]
    )
    return sorted(key for key in found if layout.is_stray(key))


class _Check:
    """The comparison of tickers with what the manifests say about them."""

    def __init__(
        self,
        lake: Lake,
        survey: Survey,
        everything: Sequence[Manifest],
        stored: Mapping[str, AbstractSet[str]],
    ) -> None:
        self.lake, self.survey, self.everything, self.stored = lake, survey, everything, stored
        self.indexed = index.entries(lake.store)

    def ticker(self, ticker: str) -> Iterator[Finding]:
        """Yield what is wrong with a ticker."""
        raw_is_whole = True
        listed = [each for each in self.everything if ticker in each.tickers]
        found, packed = verify_packs.packs_of(self.lake, ticker, listed)
        yield from found
        for manifest in listed:
            for finding in _blobs(self.lake, ticker, manifest, packed):
                raw_is_whole &= finding.kind != "blob"
                yield finding
        if raw_is_whole:
            yield from self._derived(ticker)

    def _derived(self, ticker: str) -> Iterator[Finding]:
        key = layout.history(ticker)
        try:
            stored = history.load_stored(self.lake, ticker)
        except CorruptObjectError as error:
            yield Finding("derived", key, f"can't be read: {error}", ticker)
            return
        behind = self.survey.behind.get(ticker, ())
        done = (self.survey.receipts - set(behind)) | set(stored.folded)
        new = history.rebuild(
            self.lake, ticker, [each for each in self.everything if each.run_id in done]
        )
        if not history.is_same(new, stored.history):
            yield Finding("derived", key, "is not what raw gives", ticker)
        elif stored.version:
            yield from self._footer(ticker, key)
        version, known = self.indexed.get(ticker, (None, None))
        if version == stored.version and known not in (None, index.known(stored.history)):
            yield Finding("derived", layout.INDEX, f"says what {key} does not say", ticker)
        yield from self._parts(ticker, new, stored)

    def _parts(self, ticker: str, new: History, stored: Stored) -> Iterator[Finding]:
        expected = derived.expected(new, derived.refined(new), self.lake.grain)
        is_open = bool(set(stored.folded) - self.survey.receipts)
        for name in sorted(expected.keys() | self.stored.get(ticker, frozenset())):
            if is_open and _is_owed(name, stored.owed):
                continue  # the next transform writes it
            key = derived.key(name, ticker)
            problem = self._problem(key, expected.get(name))
            if problem:
                yield Finding("derived", key, problem, ticker)
            else:
                yield from self._footer(ticker, key, expected[name])

    def _problem(self, key: str, expected: pl.DataFrame | None) -> str:
        try:
            data = self.lake.store.get(key)
            if data is None:
                return "is missing" if expected is not None else ""
            if expected is None:
                return "should not exist"
            if data != to_parquet(expected) and not _equal(from_parquet(data, key), expected):
                return "is not what raw gives"
        except CorruptObjectError as error:
            return f"can't be read: {error}"
        return ""

    def _footer(
        self, ticker: str, key: str, expected: pl.DataFrame | None = None
    ) -> Iterator[Finding]:
        """Report a file whose rows are right, but whose footer misleads engines."""
        data = self.lake.store.get(key)
        if data is None or (expected is not None and data == to_parquet(expected)):
            return
        columns = lies(data)
        if columns:
            text = f"has a footer whose statistics are wrong ({', '.join(columns)})"
            yield Finding("derived", key, text, ticker)


def _equal(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.schema == other.schema and one.equals(other)


def _is_owed(part: str, owed: Span | None) -> bool:
    return part == derived.LISTING or (owed is not None and owed.first <= part <= owed.last)


def _blobs(
    lake: Lake, ticker: str, manifest: Manifest, packed: Mapping[str, Mapping[str, int]]
) -> Iterator[Finding]:
    """Check the blobs that a manifest lists for a ticker, and how many rows it says they have."""
    entry = manifest.tickers[ticker]
    found: tuple[tuple[Kind, str, dict[str, str], int], ...] = (
        ("blob", layout.RAW, entry.blobs, entry.new + entry.corrected),
        ("quarantine", layout.QUARANTINE, entry.quarantine, entry.quarantined),
    )
    for kind, prefix, names, said in found:
        rows, is_whole = 0, True
        for partition, name in sorted(names.items()):
            key = layout.blob(prefix, partition, ticker, name)
            within = packed.get(partition, {}) if prefix == layout.RAW else {}
            problem, height = _blob(lake, key, within.get(name))
            rows += height
            if problem:
                is_whole = False
                yield Finding(kind, key, problem, ticker, manifest.run_id)
        # a manifest whose blobs are partly lost says what it once delivered
        if is_whole and names and rows != said and not _has_lost(lake, manifest, ticker, entry):
            text = f"says that it has {said:,} rows of {ticker}, not {rows:,} ({kind})"
            key = layout.run(manifest.run_id)
            yield Finding("counts", key, text, ticker, manifest.run_id)


def _has_lost(lake: Lake, manifest: Manifest, ticker: str, entry: Entry) -> bool:
    return manifests.read(lake.store, manifest.run_id).tickers[ticker] != entry


def _blob(lake: Lake, key: str, packed: int | None) -> tuple[str, int]:
    """Return what is wrong with a blob ('' when nothing is), and the number of its rows.

    `packed` is how many rows it has in a pack, if it is in one.
    """
    try:
        data = lake.store.get(key)
    except CorruptObjectError as error:
        return f"can't be read: {error}", 0
    if data is None and packed is not None:
        return "", packed
    if data is None:
        return "is listed by a manifest, but is missing", 0
    if not blobs.is_whole(data, layout.digest(key)):
        return "is damaged: it does not hold the rows that it is named after", 0
    columns = lies(data)
    if columns:
        return f"has a footer whose statistics are wrong ({', '.join(columns)})", 0
    return "", pl.read_parquet(io.BytesIO(data), columns=["session"]).height
