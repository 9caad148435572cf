"""Regular expressions, drawn from a grammar that knows what Java and Python disagree on.

Owns the strategies of patterns and of the texts that they are tried on. Most patterns are plain; the odd
parts come rarely, so that a pattern with one is otherwise like those that people write.
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["ascii_texts", "patterns", "words"]


def words(text: str) -> list[str]:
    """What stands in a text, apart from the spaces: a long list that can be read."""
    return text.split()


_LITERALS = [*"abAB01", *"_ -,&=~:/#}]!<>\"'"]
_ESCAPED = words(r"\. \- \[ \] \{ \} \( \) \\ \^ \$ \| \* \/ \_ \&")
_SHARED = words(r"\d \D \w \W \s \S \t \n \x41 \u0062 \a \f \x0b")
_ANCHORS = words(r"^ $ \A \b")
_MEMBERS = [*"abAB01_ .,*+?(){}|$", *words(r"a-b A-b 0-9 !-~ \d \w \s \- \] \\ \n")]
_ODD = words(r"""
    \Z \z \B \G \h \H \R \v \V \X \e \cA \K \r \0 \07 \101 \1 \2 \11 \p{L} \pL \P{Lu} \p{Alpha} \Qa.\E \x{41}
    \N{SPACE} \u00e9 \ud83d\ude00 \U0001F600 é ٣ 😀 \_
    [[:alpha:]] [a[b]] [a&&b] [^a&&[b]] []a] [^]a] [a-] [-a] [\w-] [\b] [a--b] [\101] [a||b] [a~~b] \\[a&&b] \\[a[b]
    [a&] [a&\&b] [\Qa\E] [\h] [^\W_] [\[a] [+--]
    (?P<n>a) (?<n>a) (?P=n) \k<n> (?#a) (?>a) (?>a|ab) (?(1)a|b) (?|a) (?'n'a)
    a++ a*+ a?+ a{1,2}+ a{,2} a{ { a{1 a** a{2}{3} a{2147483648} ^*
    (?<=a+) (?<=a|bb) (?<=a{1,2}) (a)(?<=\1) (?<!a) (?<=ab) (?=a)* (?!) () (|a) (a|)*
    (?i)a (?i:a) (?-i:a) (?i)é (?i:\u00e9) (?m)^a (?m:^$) (?m)a$ (?s). (?s:.) (?x)a (?u)a (?a)a (?d).
""")
_ODD += ["a{1, 2}", "(?x)a b", "\x00", "\x85", "[a\x85]"]
_FLAGS = ["", "", "", "", "", "(?i)", "(?s)", "(?is)", "(?i)(?s)"]
_QUANTIFIERS = ["", "", "", "", *words("* + ? *? +? ?? {2} {1,} {0,2} {1,2}? {0}")]


@st.composite
def _classes(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(_MEMBERS), min_size=1, max_size=3))
    return f"[{draw(st.sampled_from(['', '', '^']))}{''.join(parts)}]"


def _atoms() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(_LITERALS),
        st.sampled_from(_LITERALS[:6]),
        st.sampled_from(_ESCAPED),
        st.sampled_from(_SHARED),
        st.just("."),
        _classes(),
    )


@st.composite
def _sequences(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    parts = []
    for atom in draw(st.lists(st.one_of(_atoms(), _atoms(), inner), min_size=1, max_size=3)):
        parts.append(atom + draw(st.sampled_from(_QUANTIFIERS)))
    return "".join(parts)


@st.composite
def _groups(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    opening = draw(st.sampled_from(["(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?s:"]))
    alternatives = draw(st.lists(_sequences(inner), min_size=1, max_size=2))
    back = draw(st.sampled_from(["", "", "", r"\1"])) if opening == "(" else ""
    return f"{opening}{'|'.join(alternatives)}){back}"


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A pattern; about one of eight holds something that one engine reads in its own way."""
    nested = st.recursive(_atoms(), _groups, max_leaves=4)
    parts = [draw(st.sampled_from(_FLAGS)), draw(st.sampled_from(["", "", *_ANCHORS]))]
    parts.append(draw(_sequences(nested)))
    if draw(st.integers(0, 7)) == 7:
        parts.append(draw(st.sampled_from(_ODD)) + draw(st.sampled_from(_QUANTIFIERS)))
    parts += [draw(st.sampled_from(["", "", *_ANCHORS])), draw(st.sampled_from(["", "", "|b", "|", "$"]))]
    return "".join(parts)


def ascii_texts() -> st.SearchStrategy[str]:
    """Short ASCII texts; without carriage returns and separators, which the engines are known to read apart."""
    known_apart = "\r\x1c\x1d\x1e\x1f"
    anything = st.characters(codec="ascii", exclude_characters=known_apart)
    return st.text(st.one_of(st.sampled_from("abAB01_ -.\n"), st.sampled_from("ab\n"), anything), max_size=6)
