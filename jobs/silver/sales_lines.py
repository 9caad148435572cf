"""silver.sales_lines: one typed line of an invoice.

Texts are trimmed, then they parse whole or not at all: `1e3`, `NaN`, `1,234`, `+5`, `5.` and an empty text
are no numbers, and a price with more than three decimals is none either. What does not parse is null and
named in `unparsed`; row rules quarantine such lines.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakesmith import job
from lakesmith.contracts.types import PrimitiveType
from lakesmith.lake.digest_expression import hash_columns

SOURCE_TEXTS = (
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
)
COLUMNS = (
    "invoice_no",
    "stock_code",
    "line_hash",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "amount",
    "customer_id",
    "country",
    "line_type",
    "is_product",
    "source_file",
    "record_no",
    "unparsed",
    "batch_date",
)
LINE_HASH_SALT = 0

WHITE_SPACE = " \t\r\n\f\v"
INTEGER = r"^-?[0-9]{1,10}$"
PRICE = r"^-?[0-9]{1,9}([.][0-9]{1,3})?$"
CUSTOMER = r"^[0-9]{1,18}([.]0)?$"
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
PRODUCT = r"^[0-9]{5}[A-Z]{0,2}$"


@job("silver.sales_lines")
def sales_lines(lines: DataFrame) -> DataFrame:
    """Every record of the batch typed; exact duplicates marked, to be dropped and counted."""
    return parsed(marked_duplicates(lines)).select(*COLUMNS, "_dropped")


def marked_duplicates(lines: DataFrame) -> DataFrame:
    """Adds `line_hash` and `_dropped`.

    Lines of a batch that are equal in all eight source texts are one line, whether they parse or not: the
    one with the least (source_file, record_no) stays and is judged, the others are dropped and no row rule
    looks at them. A malformed record has no texts to compare: it is never a duplicate.
    """
    texts = [F.col(name) for name in SOURCE_TEXTS]
    line_hash = hash_columns([(text, PrimitiveType("string")) for text in texts], LINE_HASH_SALT)
    # The hash comes first, so that sorting seldom compares texts; the texts decide.
    equal_lines = Window.partitionBy("batch_date", "line_hash", *texts, F.col("malformed").isNull()).orderBy(
        "source_file", "record_no"
    )
    is_repeat = F.col("malformed").isNull() & (F.row_number().over(equal_lines) > 1)
    return lines.withColumn("line_hash", line_hash).withColumn(
        "_dropped", F.when(is_repeat, F.lit("exact_duplicate"))
    )


def parsed(lines: DataFrame) -> DataFrame:
    """The typed columns, and in `unparsed` the names of those whose text does not parse."""
    text = {name: _text(name) for name in SOURCE_TEXTS}
    typed = lines.withColumns(
        {
            "invoice_no": text["invoice_no"],
            "stock_code": F.upper(text["stock_code"]),
            "description": text["description"],
            "quantity": _parse(text["quantity"], INTEGER, "int"),
            "invoice_date": _parse(text["invoice_date"], TIME, "timestamp"),
            "unit_price": _parse(text["unit_price"], PRICE, "decimal(12,3)"),
            # Java's $ stands before a last U+0085 or U+2028, too, and no number has one.
            "customer_id": F.when(
                text["customer_id"].rlike(CUSTOMER),
                F.regexp_replace(text["customer_id"], "[.]0$", "").try_cast("bigint"),
            ),
            "country": F.coalesce(text["country"], F.lit("Unspecified")),
            "has_customer": text["customer_id"].isNotNull(),
        }
    )
    unreadable = {
        "quantity": F.col("quantity").isNull(),
        "invoice_date": F.col("invoice_date").isNull(),
        "unit_price": F.col("unit_price").isNull(),
        "customer_id": F.col("customer_id").isNull() & F.col("has_customer"),
    }
    names = F.concat_ws(
        " ", *[F.when(is_unreadable, F.lit(name)) for name, is_unreadable in unreadable.items()]
    )
    return typed.withColumns(
        {
            "unparsed": F.when(F.col("malformed").isNotNull(), F.lit("record")).when(names != "", names),
            # Beyond 18 digits only where the quantity is out of range, and then the line is quarantined.
            "amount": (F.col("quantity") * F.col("unit_price")).try_cast("decimal(18,3)"),
            "line_type": line_type(),
            "is_product": F.coalesce(F.col("stock_code").rlike(PRODUCT), F.lit(False)),
        }
    )


def line_type() -> Column:
    """What a typed line means; null where that hangs on a quantity or a price that did not parse."""
    is_write_off = (F.col("unit_price") == 0) | (F.col("quantity") < 0)
    is_readable = F.col("unit_price").isNotNull() & F.col("quantity").isNotNull()
    return (
        F.when(F.col("invoice_no").startswith("C"), "cancellation")
        .when(F.col("invoice_no").startswith("A"), "adjustment")
        .when(is_write_off, "write_off")
        .when(is_readable, "sale")
    )


def _text(name: str) -> Column:
    """A source text without the white space around it; null when nothing is left."""
    trimmed = F.trim(F.col(name), F.lit(WHITE_SPACE))
    return F.when(trimmed != "", trimmed)


def _parse(text: Column, pattern: str, kind: str) -> Column:
    """The text as that type; null when it does not match the pattern whole, or no such value exists."""
    return F.when(text.rlike(pattern), text.try_cast(kind))


if __name__ == "__main__":
    sales_lines.main()
