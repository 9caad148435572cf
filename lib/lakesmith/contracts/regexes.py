r"""Regular expressions in suites: only patterns that Java and Python read in the same way.

Spark matches with Java's engine, also when Great Expectations asks it to; a pandas user, a notebook or
the next engine matches with Python's. A pattern that the two read differently is refused here, with the
spelling that both share, so that no rule silently means something else elsewhere.

Two differences stay, for which both engines have one documented reading each: `\d`, `\w`, `\s` and
`\b` know only ASCII in Java, and `.` and `$` treat more characters than `\n` as line ends there. Rules
mean Java's reading.
"""

from __future__ import annotations

import re
import warnings

__all__ = ["dialect_problem"]

# (what to look for outside of an escape, why it is refused)
_GROUPS = (
    (r"\(\?P", "(?P...) is Python's spelling of a named group; leave the name out"),
    (r"\(\?<[A-Za-z]", "(?<name>...) is not Python's spelling of a named group; leave the name out"),
    (r"\(\?\(", "Java has no conditional groups"),
    (r"\(\?#", "Java has no comments in patterns"),
    (r"\(\?[A-Za-z]*[aLuUdx]", "only the flags i, s and m mean the same in Java and Python"),
)
# Python's letters after a backslash that Java has too, with the same meaning (for ASCII).
_ESCAPED_LETTERS = frozenset("dDsSwWbBAtnrfv")


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
    except re.error as error:
        return f"not a regular expression: {error}"
    return _escape_problem(pattern) or _group_problem(pattern) or _class_problem(pattern)


def _escape_problem(pattern: str) -> str | None:
    in_class = False
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            escaped = pattern[position + 1]
            if escaped == "v":
                return "\\v is one character in Python and a class in Java; write \\x0b"
            if escaped == "Z":
                return "\\Z lies before a last line end in Java; write $ or (?!\\s\\S)"
            if escaped == "x" and re.fullmatch(r"[0-9A-Fa-f]{2}", pattern[position + 2 : position + 4]):
                position += 4
                continue
            if escaped == "u" and re.fullmatch(r"[0-9A-Fa-f]{4}", pattern[position + 2 : position + 6]):
                position += 6
                continue
            if in_class and escaped == "b":
                return "\\b inside [...] is a backspace in Python and an error in Java; write \\x08"
            if escaped.isalpha() and escaped not in _ESCAPED_LETTERS:
                return f"\\{escaped} does not mean the same in Java and Python"
            if escaped == "0" or (in_class and escaped.isdigit()):
                return "octal escapes differ between Java and Python; write \\x.."
            position += 2
            continue
        if char == "[" and not in_class:
            in_class = True
            # `]` and `^]` at the start of a class are literal in Python and an error or a literal in Java.
            position += 2 if pattern[position + 1] == "^" else 1
            if pattern[position] == "]":
                return "a ] at the start of [...] differs between Java and Python; write \\]"
            continue
        if char == "]" and in_class:
            in_class = False
        position += 1
    return None


def _group_problem(pattern: str) -> str | None:
    bare = _without_escapes_and_classes(pattern)
    for spelling, reason in _GROUPS:
        if re.search(spelling, bare):
            return reason
    if re.search(r"\{,", bare):
        return "{,n} is a quantifier in Python only; write {0,n}"
    if re.search(r"(^|[(|^])\{|\{(?![0-9]+(,[0-9]*)?\})", bare):
        return "a { that starts no quantifier is an error in Java; write \\{"
    return None


def _class_problem(pattern: str) -> str | None:
    for inner in re.findall(r"\[\^?((?:\\.|[^\]\\])*)\]", re.sub(r"\\\[", "", pattern), flags=re.DOTALL):
        bare = re.sub(r"\\.", "", inner, flags=re.DOTALL)
        if "[" in bare:
            return "a [ inside [...] starts a nested class in Java; write \\["
        if "&&" in bare:
            return "&& inside [...] is an intersection in Java; write one & only"
    return None


def _without_escapes_and_classes(pattern: str) -> str:
    no_escapes = re.sub(r"\\.", "x", pattern, flags=re.DOTALL)
    return re.sub(r"\[\^?[^\]]*\]", "x", no_escapes)
