"""A run from Python: extract and transform."""

from tickerlake import app
from tickerlake.api.results import Ran
from tickerlake.errors import AllFailedError
from tickerlake.lake import open_lake, time_travel
from tickerlake.lake.once import Histories
from tickerlake.settings import ExtractSettings, TransformSettings


def run(settings: ExtractSettings) -> Ran:
    """Extract and transform.

    Raises:
        AllFailedError: every ticker failed.
        UsageError, LakeError, SourceError: as their names say.
    """
    histories = Histories()
    extracted = app.extract(settings, histories=histories)
    failed = {
        ticker: entry.reason or entry.outcome
        for ticker, entry in extracted.entries.items()
        if entry.outcome not in ("ok", "empty")
    }
    if extracted.entries and len(failed) == len(extracted.entries):
        raise AllFailedError(f"every ticker failed: {'; '.join(list(failed.values())[:3])}")
    done = app.transform(TransformSettings(settings.lake), histories=histories)
    failed |= {ticker: each.error for ticker, each in done.refreshed.items() if each.error}
    entries = extracted.entries.values()
    return Ran(
        tickers=len(entries),
        new=sum(entry.new for entry in entries),
        corrected=sum(entry.corrected for entry in entries),
        failed=failed,
        stamp=time_travel.newest(open_lake(settings.lake)).stamp,
    )
