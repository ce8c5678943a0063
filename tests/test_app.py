"""Wiring: settings that can't be are refused; `watch` is given its transform."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from tickerlake import app
from tickerlake.aws.starter import Arrival
from tickerlake.aws.watch import watch
from tickerlake.engines import Refreshed
from tickerlake.errors import BadSettingError, TransformFailedError, UsageError
from tickerlake.lake import derived, manifests, open_lake
from tickerlake.settings import (
    ExtractSettings,
    SourceSettings,
    TransformSettings,
    WatchSettings,
)
from tickerlake.stages.transform import Report


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tickers": ("A",), "universe": "x"}, "not both"),
        ({"end": date(2013, 1, 1)}, "--end needs --start"),
        ({"start": date(2013, 2, 1), "end": date(2013, 1, 1)}, "is after"),
    ],
    ids=str,
)
def test_settings_that_can_not_be(settings, words):
    with pytest.raises(BadSettingError, match=words):
        ExtractSettings(**settings)


def test_only_a_replay_lives_at_another_time():
    moment = datetime(2013, 2, 1, tzinfo=UTC)
    with pytest.raises(BadSettingError, match="--as-of needs"):
        SourceSettings(as_of=moment)
    assert SourceSettings(as_of=moment, yahoo_url="http://localhost:1").as_of == moment


def sample(lake: str) -> str:
    """Make a lake with a pending run; its id."""
    settings = ExtractSettings(
        lake, ("FB",), start=date(2013, 2, 1), source=SourceSettings(offline=True)
    )
    [manifest] = app.extract(settings).manifests
    return manifest.run_id


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (date(2013, 2, 27), date(2013, 2, 27)),
        (date(2013, 3, 2), date(2013, 3, 2)),
        (date(2013, 3, 3), date(2013, 3, 2)),
        (date.max, date(2013, 3, 2)),
    ],
)
def test_nobody_is_asked_for_days_after_tomorrow(tmp_path, end, last):
    """The recording ends on 1 March 2013; further east, the second has already begun."""
    source = SourceSettings(offline=True)
    lake = str(tmp_path / "lake")
    settings = ExtractSettings(lake, ("FB",), start=date(2013, 2, 1), end=end, source=source)
    [manifest] = app.extract(settings).manifests
    assert manifest.tickers["FB"].end == last


@pytest.fixture
def registered(monkeypatch) -> list[tuple[str, list[str]]]:
    """What was registered, by database."""
    from tickerlake.aws import glue_catalog

    calls = []

    class Catalog:
        def __init__(self, _lake: object, database: str) -> None:
            self.database = database

        def register(self, keys: object) -> None:
            calls.append((self.database, sorted(keys)))

    monkeypatch.setattr(glue_catalog, "Catalog", Catalog)
    return calls


def arrival_of(lake: str, run_id: str, monkeypatch) -> Arrival:
    monkeypatch.setattr(Arrival, "lake", property(lambda _: lake))
    return Arrival("bucket", "", run_id)


def test_watch_transforms_and_registers(tmp_path, registered, monkeypatch):
    lake = str(tmp_path / "lake")
    run_id = sample(lake)
    launch = app.transforming(WatchSettings("queue", workers=2, catalog="prices"))
    launch(arrival_of(lake, run_id, monkeypatch))
    assert manifests.pending_ids(open_lake(lake).store) == []
    [(database, keys)] = registered
    assert database == "prices"
    assert "history/ticker=FB/history.parquet" in keys
    launch(arrival_of(lake, run_id, monkeypatch))
    assert len(registered) == 1, "a run that is done is not done again"


def test_watch_registers_nothing_unasked(tmp_path, registered, monkeypatch):
    lake = str(tmp_path / "lake")
    run_id = sample(lake)
    app.transforming(WatchSettings("queue"))(arrival_of(lake, run_id, monkeypatch))
    assert registered == []


def test_watch_leaves_a_run_that_failed_to_the_queue(tmp_path, monkeypatch):
    lake = tmp_path / "lake"
    run_id = sample(str(lake))
    next((lake / "raw").glob("date=*/*/*.parquet")).unlink()
    launch = app.transforming(WatchSettings("queue"))
    with pytest.raises(TransformFailedError, match=run_id):
        launch(arrival_of(str(lake), run_id, monkeypatch))


def test_of_tickers_that_failed_only_those_are_named(monkeypatch):
    done = {"GOOD": Refreshed("GOOD", ()), "BAD": Refreshed("BAD", (), error="it is damaged")}
    monkeypatch.setattr(app, "transform", lambda _: Report(refreshed=done))
    monkeypatch.setattr("tickerlake.lake.open_lake", lambda _: SimpleNamespace(store=None))
    monkeypatch.setattr(manifests, "pending_ids", lambda _: ["r"])
    launch = app.transforming(WatchSettings("queue"))
    with pytest.raises(TransformFailedError) as told:
        launch(Arrival("bucket", "lake/", "r"))
    assert "it is damaged" in str(told.value)
    assert "GOOD" not in str(told.value)


MOMENT = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (None, None, (None, None)),
        (date(1899, 12, 31), None, (date(1900, 1, 1), None)),
        (date(1900, 1, 1), date(1900, 1, 1), (date(1900, 1, 1), date(1900, 1, 1))),
        (date(1800, 1, 1), date(1899, 12, 31), "before 1900-01-01"),
        (date(2013, 3, 2), date(2013, 3, 2), (date(2013, 3, 2), date(2013, 3, 2))),
        (date(2013, 3, 2), date(2013, 3, 3), (date(2013, 3, 2), date(2013, 3, 2))),
        (date(2013, 3, 3), None, "in the future: today is 2013-03-01"),
        (date(2013, 3, 1), date(2013, 3, 1), (date(2013, 3, 1), date(2013, 3, 1))),
    ],
)
def test_a_window_has_only_days_that_can_have_bars(start, end, window):
    settings = ExtractSettings("lake", start=start, end=end)
    if isinstance(window, str):
        with pytest.raises(UsageError, match=window):
            app._window(settings, MOMENT)
    else:
        assert app._window(settings, MOMENT) == window


@pytest.mark.parametrize(
    ("failed", "tickers", "is_told"),
    [(0, 0, False), (0, 10, False), (1, 10, False), (2, 10, True), (11, 100, True), (1, 1, True)],
)
def test_many_failures_are_an_event(failed, tickers, is_told, caplog):
    app._tell_of_failures("extract", failed, tickers)
    found = [(each.event, each.failed, each.tickers) for each in caplog.records]
    assert found == [("many_tickers_failed", failed, tickers)] * is_told
    assert all(each.levelname == "ERROR" for each in caplog.records)


@pytest.mark.parametrize(
    ("is_new", "years", "is_told"), [(True, 50, True), (True, 5, False), (False, 50, False)]
)
def test_a_new_lake_of_a_grain_that_does_not_suit_is_warned_of(is_new, years, is_told, caplog):
    lake = SimpleNamespace(is_new=is_new, grain="day")
    app._advise(lake, 50, MOMENT.date().replace(year=2013 - years), MOMENT)
    assert bool(caplog.records) == is_told


@pytest.mark.usefixtures("aws")
def test_watch_launches_what_it_is_given(monkeypatch):
    import boto3

    from tickerlake.aws import watch as queues

    monkeypatch.setattr(queues, "LONG_POLL", 0)
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="runs")["QueueUrl"]
    record = {"s3": {"bucket": {"name": "b"}, "object": {"key": "lake/raw/_runs/r.json"}}}
    sqs.send_message(QueueUrl=queue, MessageBody="nonsense")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [record]}))
    launched = []
    assert next(watch(queue, launched.append)) == ["r"]
    assert launched == [Arrival("b", "lake/", "r")]


def test_a_manifest_that_arrives_during_a_transform_is_processed_by_it(tmp_path, monkeypatch):
    """The starter relies on it when as many transformers as may run are running."""
    from tickerlake.aws import glue_catalog

    lake = str(tmp_path / "lake")
    run_ids = [sample(lake)]

    class Catalog:
        """Two manifests arrive, each shortly before a transform's receipts."""

        def __init__(self, *_: object) -> None:
            self.arrivals = iter([("IBM",), ("AAPL", "FB")])

        def register(self, _keys: object) -> None:
            if tickers := next(self.arrivals, None):
                start = date(2013, 1, 2)
                source = SourceSettings(offline=True)
                [manifest] = app.extract(
                    ExtractSettings(lake, tickers, start=start, source=source)
                ).manifests
                run_ids.append(manifest.run_id)

    monkeypatch.setattr(glue_catalog, "Catalog", Catalog)
    report = app.transform(TransformSettings(lake, catalog="lake"))
    assert report.processed == run_ids
    assert len(run_ids) == 3
    assert manifests.pending_ids(open_lake(lake).store) == []
    # FB was delivered twice; what both transforms wrote of it is in the report
    days = [each for each in report.refreshed["FB"].partitions if each != derived.LISTING]
    assert [each[:4] for each in days] == ["2013"] * 41
    assert report.exit_code == 0
    assert app.verify(lake) == []


def test_the_source_gets_its_budget(monkeypatch):
    from contextlib import nullcontext

    from tickerlake import wiring
    from tickerlake.sources import yahoo

    given: list[dict[str, object]] = []

    def opened(**settings: object) -> object:
        given.append(settings)
        return nullcontext(SimpleNamespace(search=lambda text: [text]))

    monkeypatch.setattr(yahoo, "Yahoo", opened)
    moment = datetime(2013, 3, 1, tzinfo=UTC)
    settings = SourceSettings(yahoo_url="http://x", requests_per_second=0.25, as_of=moment)
    with wiring.source(settings, workers=3) as (source, now):
        assert now == moment
        assert given == []  # it is opened when it is asked
        assert source.search("X") == source.search("X") == ["X"]
    [settled] = given
    assert settled.items() >= {"url": "http://x", "requests_per_second": 0.25, "workers": 3}.items()
