import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import obstore
import pytest
from obstore.store import MemoryStore

from tickerlake.errors import BadSettingError, ConflictError, StoreError
from tickerlake.lake.store import Store, open_store


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    return open_store(str(tmp_path) if request.param == "local" else "memory://")


def test_get_put_list_delete(store):
    assert store.get("a/b") is None
    store.put("a/b", b"1")
    store.put("a/ticker=%5EGSPC/c", b"2")
    store.put("ab", b"3")
    assert store.get("a/b") == b"1"
    assert set(store.keys("a/")) == {"a/b", "a/ticker=%5EGSPC/c"}
    store.delete(["a/b"])
    assert set(store.keys("a/")) == {"a/ticker=%5EGSPC/c"}
    assert list(store.keys("nothing/")) == []


def test_put_new_puts_once(store):
    assert store.put_new("a", b"1")
    assert not store.put_new("a", b"2")
    assert store.get("a") == b"1"


def test_put_same_is_true_only_of_the_same_bytes(store):
    assert store.put_same("a", b"1")
    assert store.put_same("a", b"1")
    assert not store.put_same("a", b"2")
    assert store.get("a") == b"1"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_where_there_are_no_hard_links_an_object_is_created_once(tmp_path, monkeypatch, number):
    def refused(*_: object) -> None:
        raise OSError(number, "no hard links")

    monkeypatch.setattr(os, "link", refused)
    store = open_store(str(tmp_path))
    assert store.put_new("a", b"1")
    assert not store.put_new("a", b"2")
    with pytest.raises(ConflictError):
        store.replace("a", b"3", None)
    assert store.get("a") == b"1"


def test_replace_needs_the_version_that_was_read(store):
    store.replace("a", b"1", None)
    with pytest.raises(ConflictError):
        store.replace("a", b"2", None)
    _, version = store.get_versioned("a")
    store.replace("a", b"22", version)
    with pytest.raises(ConflictError):
        store.replace("a", b"333", version)
    assert store.get("a") == b"22"


def test_replace_of_what_is_gone_is_a_conflict(store):
    store.replace("a", b"1", None)
    _, version = store.get_versioned("a")
    store.delete(["a"])
    with pytest.raises(ConflictError):
        store.replace("a", b"2", version)


def test_no_update_is_lost_in_a_race(store):
    """Every thread increments a counter by read and replace; the sum tells."""
    store.replace("n", b"0", None)
    start = threading.Barrier(8)

    def increment():
        start.wait()
        for _ in range(10):
            while True:
                data, version = store.get_versioned("n")
                # 9 digits: the size must not tell versions apart
                try:
                    store.replace("n", b"%09d" % (int(data) + 1), version)
                    break
                except ConflictError:
                    continue

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(increment) for _ in range(8)]:
            future.result()
    assert int(store.get("n")) == 80


def test_a_store_that_fails_says_which_and_why(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = open_store(str(tmp_path))
    with pytest.raises(StoreError, match="file"):
        store.put("file/below", b"1")


@pytest.mark.parametrize("url", ["s3://", "ftp://host/x", "s3a://bucket"])
def test_urls_that_are_no_lake(url):
    with pytest.raises(BadSettingError, match="--lake"):
        open_store(url)


def test_a_store_on_awss_own_s3_opens(monkeypatch):
    """Without an endpoint, as on AWS. It needs no network to be opened."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert open_store("s3://bucket/lake").url == "s3://bucket/lake"


def test_after_a_retry_only_the_same_bytes_are_ours(monkeypatch):
    """The first answer is lost; on the second attempt there is an object: ours, or a rival's."""
    from obstore.exceptions import GenericError

    from tickerlake.lake import objects
    from tickerlake.lake.store import Store

    monkeypatch.setattr("tickerlake.lake.retries.pause", lambda _: None)
    for rival in (b"mine", b"another's"):
        inner = objects.memory()
        create, lost = inner.create, iter([True])

        def losing(key, data, inner=inner, create=create, lost=lost, rival=rival):
            if next(lost, False):
                inner.put(key, rival)
                raise GenericError("the answer was lost")
            return create(key, data)

        inner.create = losing
        store = Store("memory://", inner)
        assert store.put_new("a", b"mine") is (rival == b"mine")
        assert store.get("a") == rival


def test_a_link_that_leads_upwards_ends(tmp_path):
    store = open_store(str(tmp_path))
    store.put("history/ticker=A/history.parquet", b"1")
    (tmp_path / "history/ticker=A/up").symlink_to(tmp_path / "history")
    keys = list(store.keys("history/"))
    assert keys.count("history/ticker=A/history.parquet") == 1
    assert len(keys) < 5


def test_what_another_machine_needs(monkeypatch):
    from tickerlake.lake.store import environment

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert environment("s3://bucket/lake") == {"AWS_DEFAULT_REGION": "eu-west-1"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://x")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://y")
    assert environment("s3://bucket/lake") == {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://x",
        "AWS_ENDPOINT_URL_S3": "http://y",
    }
    assert environment("/a/folder") == {}


def test_an_object_is_put_with_one_request(monkeypatch):
    """In parts, it would take three, and could not be put on a condition."""
    store, asked = Store("memory://", MemoryStore()), []
    put = obstore.put

    def noted(*arguments: object, **options: object) -> object:
        asked.append(options["use_multipart"])
        return put(*arguments, **options)

    monkeypatch.setattr(obstore, "put", noted)
    store.put("a", b"1")
    store.put_new("b", b"1")
    store.replace("a", b"2", store.get_versioned("a").version)
    store.publish("c", b"1", "text/html")
    assert asked == [False] * 4


@pytest.mark.parametrize(
    ("number", "more"), [(1, ""), (5, ""), (6, " and 1 more"), (1_006, " and 1,001 more")]
)
def test_of_many_files_that_are_not_the_lakes_five_are_named(store, caplog, number, more):
    names = [f"raw/alien {each:04}.txt" for each in range(number)]
    for name in names:
        store.put(name, b"")
    assert list(store.keys("raw/")) == []
    [record] = caplog.records
    said = f"ignored, not part of the lake: {', '.join(names[:5])}{more}"
    assert record.getMessage() == said
