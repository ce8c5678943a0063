"""The table of a calendar that is kept between runs is a copy, or it is not believed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tickerlake.market import calendar_cache

NAME = "24/5"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where tables are kept, with one that was kept by a run before."""
    folder = tmp_path / "cache" / "calendars"
    monkeypatch.setattr(calendar_cache, "_folder", lambda: folder)
    calendar_cache.load(NAME)
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def built() -> calendar_cache.Timetable:
    return calendar_cache.build(NAME)


@pytest.fixture
def builds(monkeypatch, built) -> list[str]:
    """The calendars that the library was asked for."""
    asked = []
    monkeypatch.setattr(calendar_cache, "build", lambda name: asked.append(name) or built)
    return asked


@pytest.mark.usefixtures("kept")
def test_a_table_that_was_kept_is_the_one_that_was_built(built, builds):
    assert calendar_cache.load(NAME) == built
    assert builds == []


def test_every_calendar_has_a_table_of_its_own(kept, builds):
    calendar_cache.load("24/7")
    assert builds == ["24/7"]
    assert {path.name for path in kept.parent.iterdir()} == {"24-5.json", "24-7.json"}


def rewritten(kept, **changes: object) -> None:
    _, _, text = kept.read_bytes().partition(b"\n")
    table = json.loads(text) | changes
    key, built = table["key"], table["timetable"]
    kept.unlink()
    calendar_cache._write(kept, key, calendar_cache.Timetable(*built))
    if "built" in changes:
        text = json.dumps(table).encode()
        digest = calendar_cache.hashlib.sha256(text).hexdigest().encode()
        kept.write_bytes(digest + b"\n" + text)


DAMAGES = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "not text": lambda _: b"\xff\xfe\x00",
    "another session": lambda data: data.replace(b"719", b"718", 1),
    "no table": lambda _: b"{}",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_built_again(kept, builds, damage, built):
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGES[damage](whole))
    assert calendar_cache.load(NAME) == built
    assert builds == [NAME]
    assert kept.read_bytes() == whole


@pytest.mark.usefixtures("kept")
def test_a_table_of_another_version_of_the_library_is_built_again(builds, monkeypatch):
    monkeypatch.setattr(calendar_cache, "version", lambda _: "99.0")
    calendar_cache.load(NAME)
    calendar_cache.load(NAME)
    assert builds == [NAME]


@pytest.mark.parametrize(("days", "is_built"), [(0, False), (30, False), (31, True), (-2, True)])
def test_an_old_table_is_built_again_and_one_from_the_future_too(kept, builds, days, is_built):
    day = datetime.now(UTC) - timedelta(days)
    rewritten(kept, built=f"{day:%Y-%m-%d}")
    calendar_cache.load(NAME)
    assert bool(builds) == is_built


def test_without_a_place_to_keep_it_the_table_is_built(tmp_path, monkeypatch, builds, built):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "calendars", None):
        monkeypatch.setattr(calendar_cache, "_folder", lambda folder=folder: folder)
        assert calendar_cache.load(NAME) == built
    assert builds == [NAME, NAME]


@pytest.mark.usefixtures("builds")
def test_nothing_is_left_of_a_table_that_could_not_be_kept(kept, caplog):
    kept.unlink()
    kept.mkdir()  # nothing can be put in its place
    caplog.set_level("DEBUG", logger=calendar_cache.__name__)
    calendar_cache.load(NAME)
    assert str(kept) in caplog.text
    assert list(kept.parent.iterdir()) == [kept]
