"""gold.customer_features: what is known of a customer at the end of a day.

Everything is counted in whole numbers and decimals; the one division or square root of a feature comes last,
so that the same rows give the same bits however they are spread over tasks.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith import job

ACTIVE_DAYS = 90
THURSDAY, SUNDAY = 4, 7


@job("gold.customer_features")
def customer_features(days: DataFrame) -> DataFrame:
    """The 31 features of each customer with a sale line in the last 90 days."""
    totals = days.groupBy("batch_date", "customer_id").agg(*sums(), purchases(), products_by_day())
    active = totals.filter(F.col("lines_90d") > 0)
    return with_ratios(with_purchase_days(active)).select("customer_id", *FEATURES, "batch_date")


def sums() -> list[Column]:
    """Counts and amounts over the sub-windows of the 365 days that the contract gives."""
    return [
        *[_sum("sale_invoices", 0, last).alias(f"orders_{last}d") for last in (7, 30, 90, 365)],
        *[
            _sum("sale_amount", 0, last).cast("decimal(18,3)").alias(f"amount_{last}d")
            for last in (7, 30, 90, 365)
        ],
        _sum("sale_invoices", 30, 60).alias("orders_30_60d"),
        _sum("sale_invoices", 60, 90).alias("orders_60_90d"),
        _sum("sale_lines", 0, ACTIVE_DAYS).alias("lines_90d"),
        _sum("sale_lines", 0, 365).alias("lines_365d"),
        _sum("cancellation_lines", 0, ACTIVE_DAYS).alias("returned_lines_90d"),
        (-_sum("cancellation_amount", 0, ACTIVE_DAYS)).alias("returned_amount_90d"),
        _sum("cancellation_invoices", 0, 365).alias("returns_365d"),
        _orders_on(THURSDAY).alias("thursday_orders"),
        _orders_on(SUNDAY).alias("sunday_orders"),
    ]


def purchases() -> Column:
    """The days with a sale line, latest first: age, weekday, orders, amount, country."""
    purchase = F.struct(
        F.col("age_days").alias("age"),
        _weekday().alias("weekday"),
        F.col("sale_invoices").alias("orders"),
        F.col("sale_amount").alias("amount"),
        "country",
    )
    return F.sort_array(F.collect_list(F.when(F.col("sale_lines") > 0, purchase))).alias("purchases")


def products_by_day() -> Column:
    """The product lists of the last 90 days, one a day."""
    return F.collect_list(F.when(_is_aged(0, ACTIVE_DAYS), F.col("product_ids"))).alias("products_by_day")


def with_purchase_days(totals: DataFrame) -> DataFrame:
    """Adds what follows from the sequence of purchase days; a gap is the days from one to the next."""
    last, first = F.col("purchases")[0], F.element_at("purchases", -1)
    ages = F.transform("purchases", lambda purchase: purchase["age"])
    newer, older = F.slice(ages, 1, F.size("purchases") - 1), F.slice(ages, 2, F.size("purchases"))
    gaps = F.zip_with(newer, older, lambda to_age, from_age: from_age - to_age)
    return totals.withColumns(
        {
            "recency_days": last["age"],
            "tenure_days": first["age"],
            "purchase_days_365d": F.size("purchases"),
            "last_weekday": last["weekday"],
            "last_basket_value": _ratio(last["amount"], last["orders"]),
            "is_uk": last["country"] == "United Kingdom",
            "distinct_products_90d": F.size(F.array_distinct(F.flatten("products_by_day"))),
            "gaps": gaps,
        }
    ).drop("purchases", "products_by_day")


def with_ratios(counted: DataFrame) -> DataFrame:
    """Adds the means, shares and rates; null where there is no gap between purchase days."""
    number = F.size("gaps")
    total = F.col("tenure_days") - F.col("recency_days")
    squares = F.aggregate("gaps", F.lit(0).cast("bigint"), lambda sum_, gap: sum_ + gap * gap)
    # The variance times number squared: a whole number, so the root is the first step that rounds.
    scaled_variance = number * squares - total * total
    has_gap = number > 0
    return counted.withColumns(
        {
            "gap_mean_days": F.when(has_gap, _ratio(total, number)),
            "gap_stddev_days": F.when(has_gap, _ratio(F.sqrt(scaled_variance), number)),
            "last_gap_days": F.when(has_gap, F.get("gaps", F.lit(0))),
            "recency_over_mean_gap": F.when(has_gap, _ratio(F.col("recency_days") * number, total)),
            "return_line_rate_90d": _share(F.col("returned_lines_90d"), F.col("lines_90d")),
            "return_value_rate_90d": _share(F.col("returned_amount_90d"), F.col("amount_90d")),
            "basket_value_mean": _ratio(F.col("amount_365d"), F.col("orders_365d")),
            "basket_lines_mean": _ratio(F.col("lines_365d"), F.col("orders_365d")),
            "orders_per_day": _ratio(F.col("orders_365d"), F.col("tenure_days") + 1),
            "orders_30_over_90d": _ratio(F.col("orders_30d"), F.col("orders_90d")),
            "thursday_order_share": _ratio(F.col("thursday_orders"), F.col("orders_365d")),
            "sunday_order_share": _ratio(F.col("sunday_orders"), F.col("orders_365d")),
        }
    )


def _is_aged(youngest: int, end: int) -> Column:
    """True for days of at least `youngest` and less than `end` days of age."""
    return (F.col("age_days") >= youngest) & (F.col("age_days") < end)


def _sum(measure: str, youngest: int, end: int) -> Column:
    return F.sum(F.when(_is_aged(youngest, end), F.col(measure)).otherwise(0))


def _weekday() -> Column:
    """1 is Monday, 7 is Sunday."""
    return F.weekday("input_date") + 1


def _orders_on(weekday: int) -> Column:
    return F.sum(F.when(_weekday() == weekday, F.col("sale_invoices")).otherwise(0))


def _ratio(part: Column, whole: Column) -> Column:
    return part.cast("double") / whole.cast("double")


def _share(part: Column, rest: Column) -> Column:
    """`part` of both together, 0 to 1."""
    return _ratio(part, part + rest)


FEATURES = (
    "recency_days",
    "tenure_days",
    "purchase_days_365d",
    "gap_mean_days",
    "gap_stddev_days",
    "last_gap_days",
    "recency_over_mean_gap",
    "orders_7d",
    "orders_30d",
    "orders_90d",
    "orders_365d",
    "amount_7d",
    "amount_30d",
    "amount_90d",
    "amount_365d",
    "orders_30_60d",
    "orders_60_90d",
    "distinct_products_90d",
    "lines_90d",
    "return_line_rate_90d",
    "return_value_rate_90d",
    "returns_365d",
    "basket_value_mean",
    "basket_lines_mean",
    "last_basket_value",
    "orders_per_day",
    "orders_30_over_90d",
    "last_weekday",
    "thursday_order_share",
    "sunday_order_share",
    "is_uk",
)


if __name__ == "__main__":
    customer_features.main()
