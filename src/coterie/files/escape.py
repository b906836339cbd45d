"""File names as text that every file can hold.

On POSIX a file name is bytes. Python shows the bytes that are not UTF-8 as lone surrogates, which no UTF-8 file can
hold. In every table of coterie such a byte is written ``\\xff`` and a real backslash ``\\\\``, so each name reads back
exactly.
"""

import re

_RISKY = re.compile(r"[\\\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:\\|x([89a-f][0-9a-f])|u(d[89a-f][0-9a-f]{2}))")


def escape_name(name: str) -> str:
    """``name`` with ``\\`` doubled and undecodable bytes as ``\\xff``; ordinary names come back unchanged."""
    return _RISKY.sub(_escape, name)


def unescape_name(text: str) -> str:
    """The name that ``escape_name`` turned into ``text``; backslashes that start no escape of ours are kept."""
    return _ESCAPE.sub(_unescape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\\"):
        return r"\\"
    # U+DC80..U+DCFF stand for the bytes 80..ff (PEP 383); other lone surrogates come from Windows names.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _unescape(match: re.Match[str]) -> str:
    byte, code = match.groups()
    if byte is not None:
        return chr(0xDC00 + int(byte, 16))
    return "\\" if code is None else chr(int(code, 16))
