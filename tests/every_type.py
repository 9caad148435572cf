"""A table with a column of every type, and the values at which types go wrong."""

from __future__ import annotations

__all__ = ["EVERY_TYPE"]

# Each column: its type, and its values in SQL, one for each row.
EVERY_TYPE: dict[str, tuple[str, list[str]]] = {
    "text": ("string", ["'WHITE HEART'", "''", "'Ünï \u2603'", "null"]),
    "big": ("bigint", ["0", "9223372036854775807", "-9223372036854775808", "null"]),
    "whole": ("int", ["7", "2147483647", "-2147483648", "null"]),
    "small": ("smallint", ["7", "32767", "-32768", "null"]),
    "tiny": ("tinyint", ["7", "127", "-128", "null"]),
    "real": ("double", ["0.1D", "-0.0D", "double('NaN')", "null"]),
    "half": ("float", ["0.1F", "float('-Infinity')", "float('NaN')", "null"]),
    "flag": ("boolean", ["true", "false", "true", "null"]),
    "bytes": ("binary", ["X'00FF'", "X''", "X'FE'", "null"]),
    "day": ("date", ["'2011-03-01'", "'0001-01-01'", "'9999-12-31'", "null"]),
    "moment": (
        "timestamp",
        ["'2011-03-27 01:30:00.000001Z'", "'0001-01-01 00:00:00Z'", "'1582-10-04 23:59:59Z'", "null"],
    ),
    "price": ("decimal(12,3)", ["2.550", "-999999999.999", "0.001", "null"]),
    "amount": ("decimal(38,10)", ["0.0000000001", f"{'9' * 28}.0123456789", "-1", "null"]),
    "products": ("array<string>", ["array('22423', null)", "array()", "array('a\",\"b')", "null"]),
    "reals": ("array<double>", ["array(1e23D, 0.1D)", "array(-0.0D)", "array(double('NaN'), null)", "null"]),
    "halves": ("array<float>", ["array(3.3e10F)", "array(float('Infinity'))", "array(null)", "null"]),
    "days": (
        "array<date>",
        ["array(date'0001-01-01')", "array(date'1582-10-04')", "array(date'2011-03-01', null)", "null"],
    ),
    "moments": (
        "array<timestamp>",
        [
            "array(timestamp'0001-01-01 00:00:00Z')",
            "array(timestamp'2011-03-01 00:00:00.000001Z')",
            "array()",
            "null",
        ],
    ),
    "prices": ("array<decimal(12,3)>", ["array(2.550BD)", "array(0.001BD)", "array(null)", "null"]),
    "extra": ("map<string,int>", ["map('b', 2, 'a', 1)", "map()", "map('a', null)", "null"]),
    "line": (
        "struct<n:int,tags:map<int,binary>>",
        [
            "named_struct('n', 1, 'tags', map(10, X'FF', 9, null))",
            "named_struct('n', null, 'tags', null)",
            "named_struct('n', 1, 'tags', map())",
            "null",
        ],
    ),
}
