from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.surrogates import without_surrogates

ANY = st.text(alphabet=st.characters(exclude_categories=()))


@given(text=ANY)
def test_every_text_gets_a_utf8_form_of_the_same_length(text: str) -> None:
    clean = without_surrogates(text)
    assert clean.encode().decode() == clean
    assert len(clean) == len(text)


@given(text=st.text())
def test_a_sound_text_stays_as_it_is(text: str) -> None:
    assert without_surrogates(text) == text
