import plans
import pytest


@pytest.mark.parametrize("page", plans.pages(), ids=lambda page: page.name)
def test_a_pages_tables_are_what_the_model_computes(page):
    text = page.read_text(encoding="utf-8")
    assert text == plans.render(text), "run: make docs"


def test_pages_have_the_tables():
    assert [page.name for page in plans.pages()] == ["deploy.md", "scale.md"]
