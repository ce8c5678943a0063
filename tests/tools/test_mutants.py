import mutants
import pytest

MISTAKES = mutants.read()


def test_every_mistake_can_still_be_made():
    stale = {each.what: reason for each in MISTAKES if (reason := each.stale())}
    assert not stale


def test_every_mistake_has_a_name_of_its_own_and_says_who_suffers():
    assert len({(each.file, each.what) for each in MISTAKES}) == len(MISTAKES)
    assert [each.what for each in MISTAKES if not (each.harm or each.equivalent)] == []
    assert [each.what for each in MISTAKES if each.old == each.new] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"old": "no such text"}, "0 times"),
        ({"old": "e"}, "not once"),
        ({"file": "jobs/gone.py"}, "there is no jobs/gone.py"),
        ({"tests": ("tests/tools/test_mutants.py::test_gone",)}, "has no test_gone"),
        ({"tests": ("tests/test_gone.py",)}, "there is no tests/test_gone.py"),
        ({"tests": ()}, "it has no test"),
    ],
)
def test_a_stale_entry_is_named(change, words):
    entry = {"what": "w", "file": "tools/mutants.py", "old": "LONGEST: Final = 180", "new": "",
             "tests": ("tests/tools/test_mutants.py::test_a_stale_entry_is_named",)}  # fmt: skip
    assert mutants.Mistake(**entry).stale() == ""
    assert words in mutants.Mistake(**(entry | change)).stale()


def test_the_table_counts_by_module():
    one = mutants.Mistake("one", "jobs/tickerlake/lake/store.py", "a", "b")
    two = mutants.Mistake("two", "jobs/tickerlake/lake/store.py", "a", "b")
    said = mutants.table([(one, False), (two, True)], [one])
    assert "| lake/store.py | 2 | 1 (50 %) | 1 | 1 |" in said
    assert said.endswith("| all | 2 | 1 (50 %) | 1 | 1 |")
