import pytest
import transcripts

PAGES = transcripts.pages()


def test_some_pages_show_output():
    assert {page.name for page in PAGES} >= {"tutorial.md", "architecture.md"}


@pytest.mark.transcripts
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_docs_show_what_the_commands_really_print(page):
    text = page.read_text(encoding="utf-8")
    assert transcripts.masked(text) == transcripts.masked(transcripts.render(text)), (
        "run `make docs`"
    )
