"""The pages quote the results, and nothing else."""

import pytest

from benchmarks import docs


@pytest.mark.parametrize('page', docs.STUDIES_OF_PAGE)
def test_the_page_quotes_the_results(page):
    studies = docs.STUDIES_OF_PAGE[page]
    text = (docs.DOCS / page).read_text()
    assert docs.fill(text, studies) == text, 'run `python -m benchmarks.docs`'
    with pytest.raises(ValueError, match='needs one'):
        docs.fill('no markers', studies)
