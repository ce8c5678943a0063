import decisions


def test_the_index_of_decisions_is_up_to_date():
    assert decisions.PATH.read_text(encoding="utf-8") == decisions.render(), "run `make docs`"
