r"""Regular expressions in suites: only patterns that Java and Python read in the same way.

Spark matches with Java's engine, also when Great Expectations asks it to; a pandas user, a notebook or
the next engine matches with Python's. A pattern that the two read differently is refused here, with the
spelling that both share, so that no rule silently means something else elsewhere. Neither the gate nor
Great Expectations ever sees a refused pattern.

What stays different is the text, not the pattern, and cannot be refused: nearly every pattern in use has a
`$`, a `.` or a `\d`. Rules mean Java's reading, in the gate as in Great Expectations on Spark:

- `\d`, `\w`, `\s` and letters under `(?i)` know only ASCII in Java, and all of Unicode in Python; `\s` leaves
  out the separators `\x1c` to `\x1f`. `\b` follows letters and digits of all Unicode in Java 17, and ASCII in
  later ones.
- `.` does not match, and `$` stands before, a last `\r`, `\u0085`, `\u2028` or `\u2029` too; in Python
  only `\n`. Before a last `\r\n` stands `$` in Java, between the two in Python.

A class of characters (`[0-9]`, `[^\n]`) means the same everywhere, whatever the text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

__all__ = ["dialect_problem", "joined_problem"]

# What opens a group and why it is refused.
_GROUPS = (
    ("(?P", "(?P...) is Python's spelling of a named group; leave the name out"),
    ("(?<", "(?<name>...) is not Python's spelling of a named group; leave the name out"),
    ("(?(", "Java has no conditional groups"),
    ("(?#", "Java has no comments in patterns"),
    ("(?>", "Python has atomic groups only since 3.11; write (?:...)"),
)
_FLAGS = re.compile(r"\(\?(?P<flags>[A-Za-z-]+)[:)]")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(?P<counts>[0-9]+(?:,[0-9]*)?)\})(?P<more>[+?]?)")
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[0-3][0-7]{2}|.)", re.DOTALL)
_GLOBAL_FLAGS = re.compile(r"\(\?[A-Za-z]+\)")
# Python's letters after a backslash that Java has too, with the same meaning (for ASCII).
_ESCAPED_LETTERS = frozenset("dDsSwWbAtnrfa")
_MOST_REPEATS = 2**31 - 1


def dialect_problem(pattern: str) -> str | None:
    """Why a pattern is refused, or None when Java and Python read it in the same way.

    Args:
        pattern: the regular expression of a suite.
    """
    try:
        with warnings.catch_warnings():
            # Python warns of the classes that mean something else in Java; they are refused below.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except (re.error, OverflowError) as error:
        return f"not a regular expression: {error}"
    return next(_problems(pattern), None)


def joined_problem(patterns: Sequence[str]) -> str | None:
    """Why several patterns cannot be tried as one, joined with `|`; None when that means any of them.

    Args:
        patterns: each without a problem of its own.
    """
    if len(patterns) < 2:
        return None
    for pattern in patterns:
        if _GLOBAL_FLAGS.match(pattern):
            return "the patterns are joined with |, so flags of one would count for all; write (?i:...)"
        if any(text[1:2].isdigit() for kind, text in _tokens(pattern) if kind == "escape"):
            return "the patterns are joined with |, so their groups are numbered through; use no \\1"
    return None


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """The parts of a valid pattern, each with its kind: escape, class, open, close, quantifier or char."""
    at = 0
    while at < len(pattern):
        kind, text = _token(pattern, at)
        yield kind, text
        at += len(text)


def _token(pattern: str, at: int) -> tuple[str, str]:
    match pattern[at]:
        case "\\":
            return "escape", _escape(pattern, at)
        case "[":
            return "class", pattern[at : _end_of_class(pattern, at)]
        case "(":
            opened = re.compile(r"\(\?(?:[A-Za-z-]+[:)]|<[=!]|.)|\(").match(pattern, at)
            return "open", opened[0] if opened else "("
        case ")":
            return "close", ")"
        case "*" | "+" | "?" | "{":
            quantifier = _QUANTIFIER.match(pattern, at)
            return ("quantifier", quantifier[0]) if quantifier else ("char", pattern[at])
        case char:
            return "char", char


def _escape(pattern: str, at: int) -> str:
    found = _ESCAPE.match(pattern, at)
    return found[0] if found else pattern[at:]


def _end_of_class(pattern: str, at: int) -> int:
    """The position after a class's last `]`, as Python finds it: one at its very start is literal."""
    at += 2 if pattern.startswith("[^", at) else 1
    at += pattern.startswith("]", at)
    while at < len(pattern) and pattern[at] != "]":
        at += len(_escape(pattern, at)) if pattern[at] == "\\" else 1
    return at + 1


def _problems(pattern: str) -> Iterator[str]:
    behind: list[bool] = []
    ignores_case = False
    for kind, text in _tokens(pattern):
        match kind:
            case "escape":
                yield from _escape_problems(text, in_class=False)
                if text[1].isdigit() and any(behind):
                    yield "Java has no backreferences inside (?<=...) and (?<!...)"
            case "class":
                yield from _class_problems(text)
            case "open":
                yield from _group_problems(text)
                ignores_case = ignores_case or "i" in text.split("-")[0]
                if not text.endswith(")"):
                    behind.append(text.startswith("(?<"))
            case "close":
                behind.pop()
            case "quantifier":
                yield from _quantifier_problems(text)
            case "char" if text == "{":
                yield "a { that starts no quantifier is an error in Java; write \\{ (and {0,n} for {,n})"
    if ignores_case and not _is_ascii(pattern):
        yield "(?i) knows only ASCII letters in Java; write both cases of the others: [éÉ]"


def _escape_problems(text: str, *, in_class: bool) -> Iterator[str]:
    escaped = text[1]
    if escaped == "v":
        yield "\\v is one character in Python and a class in Java; write \\x0b"
    if escaped == "Z":
        yield "\\Z lies before a last line end in Java; write $ or (?![\\s\\S])"
    if escaped == "B":
        yield "\\B is in an empty text in Java and not in Python; write (?<!\\w)(?!\\w)|(?<=\\w)(?=\\w)"
    if in_class and escaped == "b":
        yield "\\b inside [...] is a backspace in Python and an error in Java; write \\x08"
    if escaped == "0" or (escaped.isdigit() and (in_class or len(text) > 2)):
        yield "octal escapes differ between Java and Python; write \\x.."
    if escaped == "u" and 0xD800 <= int(text[2:], 16) < 0xE000:
        yield "half a character (\\ud800 to \\udfff) is joined with its other half in Java only; write the character"
    if escaped.isalpha() and escaped not in _ESCAPED_LETTERS and len(text) == 2:
        yield f"\\{escaped} does not mean the same in Java and Python"


def _class_problems(text: str) -> Iterator[str]:
    inner = text.removeprefix("[").removeprefix("^").removesuffix("]")
    if inner.startswith("]"):
        yield "a ] at the start of [...] is a member in some engines and its end in others; write \\]"
    at = 0
    while at < len(inner):
        if inner[at] == "\\":
            escape = _escape(inner, at)
            yield from _escape_problems(escape, in_class=True)
            at += len(escape)
            continue
        if inner[at] == "[":
            yield "a [ inside [...] starts a nested class in Java; write \\["
        if inner.startswith("&&", at):
            yield "&& inside [...] is an intersection in Java; write one & only"
        at += 1


def _group_problems(text: str) -> Iterator[str]:
    if text == "(":
        return
    if flags := _FLAGS.match(text):
        if "m" in flags["flags"]:
            yield "with (?m) there is a line after the last line end in Python and none in Java; write (?:^|\\n)"
        elif set(flags["flags"]) - set("is-"):
            yield "only the flags i and s mean the same in Java and Python"
        return
    yield from (reason for spelling, reason in _GROUPS if text == spelling)


def _quantifier_problems(text: str) -> Iterator[str]:
    quantifier = _QUANTIFIER.fullmatch(text)
    if quantifier is None:
        return
    if quantifier["more"] == "+":
        yield "Python has possessive quantifiers only since 3.11; leave the second + out"
    counts = [int(count) for count in (quantifier["counts"] or "").split(",") if count]
    if any(count > _MOST_REPEATS for count in counts):
        yield f"Java repeats at most {_MOST_REPEATS} times"


def _is_ascii(pattern: str) -> bool:
    """True when a pattern names no character beyond ASCII, as such or by its number."""
    numbers = (int(text[2:], 16) for text in _ESCAPE.findall(pattern) if text[1] in "xu" and len(text) > 2)
    return pattern.isascii() and all(number < 0x80 for number in numbers)
