"""The same night by DuckDB, writing one Parquet file a table and day: what one machine can do without Spark.

Its SQL gives the rows that the jobs give; `line_hash` alone is DuckDB's own hash, which serves the same purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

__all__ = ["DuckLake"]

_LINES = """
WITH texts AS (
  SELECT *, nullif(trim(invoice_no, ' \t\r\n'), '') AS i, upper(nullif(trim(stock_code, ' \t\r\n'), '')) AS s,
    nullif(trim(description, ' \t\r\n'), '') AS d, nullif(trim(quantity, ' \t\r\n'), '') AS q,
    nullif(trim(invoice_date, ' \t\r\n'), '') AS t, nullif(trim(unit_price, ' \t\r\n'), '') AS p,
    nullif(trim(customer_id, ' \t\r\n'), '') AS c, nullif(trim(country, ' \t\r\n'), '') AS l
  FROM read_parquet('{bronze}')
  QUALIFY row_number() OVER (PARTITION BY invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id,
    country ORDER BY source_file, record_no) = 1
), typed AS (
  SELECT i AS invoice_no, s AS stock_code,
    hash(invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id, country) AS line_hash,
    d AS description,
    CASE WHEN regexp_full_match(q, '-?[0-9]{{1,10}}') THEN try_cast(q AS INTEGER) END AS quantity,
    CASE WHEN regexp_full_match(t,
      '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}') THEN try_cast(t AS TIMESTAMP)
      END AS invoice_date,
    CASE WHEN regexp_full_match(p, '-?[0-9]{{1,9}}([.][0-9]{{1,3}})?') THEN try_cast(p AS DECIMAL(12,3)) END AS unit_price,
    CASE WHEN regexp_full_match(c, '[0-9]{{1,18}}([.]0)?')
      THEN try_cast(regexp_replace(c, '[.]0$', '') AS BIGINT) END AS customer_id,
    c IS NOT NULL AS has_customer, coalesce(l, 'Unspecified') AS country, source_file, record_no, batch_date
  FROM texts
)
SELECT invoice_no, stock_code, line_hash, description, quantity, invoice_date, unit_price,
  (quantity * unit_price)::DECIMAL(18,3) AS amount, customer_id, country,
  CASE WHEN starts_with(invoice_no, 'C') THEN 'cancellation' WHEN starts_with(invoice_no, 'A') THEN 'adjustment'
    WHEN unit_price = 0 OR quantity < 0 THEN 'write_off' ELSE 'sale' END AS line_type,
  coalesce(regexp_full_match(stock_code, '[0-9]{{5}}[A-Z]{{0,2}}'), false) AS is_product,
  source_file, record_no, NULL::VARCHAR AS unparsed, batch_date
FROM typed
WHERE invoice_no IS NOT NULL AND stock_code IS NOT NULL AND quantity <> 0 AND quantity BETWEEN -100000 AND 100000
  AND (unit_price >= 0 OR starts_with(invoice_no, 'A')) AND invoice_date::DATE = batch_date
  AND NOT (has_customer AND customer_id IS NULL)
"""


def _measures(kind: str) -> str:
    return f"""
  count(DISTINCT invoice_no) FILTER (line_type = '{kind}') AS {kind}_invoices,
  count(*) FILTER (line_type = '{kind}') AS {kind}_lines,
  coalesce(sum(quantity) FILTER (line_type = '{kind}'), 0)::BIGINT AS {kind}_units,
  coalesce(sum(amount) FILTER (line_type = '{kind}'), 0)::DECIMAL(18,3) AS {kind}_amount"""


_CUSTOMER_DAYS = f"""
SELECT batch_date, customer_id,
  max_by(country, (line_type = 'sale', invoice_date, source_file, record_no)) AS country,
  {",".join(_measures(kind) for kind in ("sale", "cancellation", "adjustment", "write_off"))},
  list_sort(coalesce(list(DISTINCT stock_code) FILTER (line_type = 'sale' AND is_product), [])) AS product_ids
FROM read_parquet('{{silver}}') WHERE customer_id IS NOT NULL GROUP BY batch_date, customer_id
"""

_DAILY_SALES = """
SELECT batch_date, country,
  coalesce(sum(amount) FILTER (line_type = 'sale'), 0)::DECIMAL(18,3) AS revenue,
  count(DISTINCT invoice_no) FILTER (line_type = 'sale') AS orders,
  count(DISTINCT customer_id) FILTER (line_type = 'sale') AS customers,
  count(*) FILTER (line_type = 'sale') AS lines,
  coalesce(sum(quantity) FILTER (line_type = 'sale'), 0)::BIGINT AS units,
  count(DISTINCT invoice_no) FILTER (line_type = 'cancellation') AS returns,
  (-coalesce(sum(amount) FILTER (line_type = 'cancellation'), 0))::DECIMAL(18,3) AS returned_amount
FROM read_parquet('{silver}') GROUP BY batch_date, country
"""


def _sums() -> str:
    lines = [
        f"coalesce(sum(sale_invoices) FILTER (age < {n}), 0)::BIGINT AS orders_{n}d" for n in (7, 30, 90, 365)
    ]
    lines += [
        f"coalesce(sum(sale_amount) FILTER (age < {n}), 0)::DECIMAL(18,3) AS amount_{n}d"
        for n in (7, 30, 90, 365)
    ]
    lines += [
        f"coalesce(sum(sale_invoices) FILTER (age >= {low} AND age < {high}), 0)::BIGINT AS orders_{low}_{high}d"
        for low, high in ((30, 60), (60, 90))
    ]
    return ",\n  ".join(lines)


_FEATURES = f"""
WITH days AS (
  SELECT *, date_diff('day', batch_date, DATE '{{day}}') AS age, isodow(batch_date) AS weekday
  FROM read_parquet({{customer_days}}) WHERE batch_date > DATE '{{day}}' - 365 AND batch_date <= DATE '{{day}}'
), totals AS (
  SELECT customer_id, {_sums()},
  coalesce(sum(sale_lines) FILTER (age < 90), 0)::BIGINT AS lines_90d, sum(sale_lines)::BIGINT AS lines_365d,
  coalesce(sum(cancellation_lines) FILTER (age < 90), 0)::BIGINT AS returned_lines_90d,
  -coalesce(sum(cancellation_amount) FILTER (age < 90), 0) AS returned_amount_90d,
  sum(cancellation_invoices)::BIGINT AS returns_365d,
  coalesce(sum(sale_invoices) FILTER (weekday = 4), 0) AS thursday,
  coalesce(sum(sale_invoices) FILTER (weekday = 7), 0) AS sunday,
  list({{{{'age': age, 'weekday': weekday, 'orders': sale_invoices, 'amount': sale_amount, 'country': country}}}} ORDER BY age)
    FILTER (sale_lines > 0) AS purchases,
  len(list_distinct(flatten(coalesce(list(product_ids) FILTER (age < 90), [])))) AS distinct_products_90d
  FROM days GROUP BY customer_id
), counted AS (
  SELECT *, purchases[1].age::INT AS recency_days, purchases[-1].age::INT AS tenure_days, len(purchases) AS purchase_days_365d,
    list_transform(range(1, len(purchases)), lambda n: purchases[n + 1].age - purchases[n].age) AS gaps
  FROM totals WHERE lines_90d > 0
), gapped AS (
  SELECT *, len(gaps) AS n, (tenure_days - recency_days)::DOUBLE AS total,
    coalesce(list_sum(list_transform(gaps, lambda gap: gap * gap)), 0) AS squares FROM counted
)
SELECT customer_id, recency_days, tenure_days, purchase_days_365d,
  CASE WHEN n > 0 THEN round(total / n, 6) END AS gap_mean_days,
  CASE WHEN n > 0 THEN round(sqrt(n * squares - total * total) / n, 6) END AS gap_stddev_days,
  CASE WHEN n > 0 THEN gaps[1] END AS last_gap_days,
  CASE WHEN n > 0 THEN round(recency_days * n / total, 6) END AS recency_over_mean_gap,
  orders_7d, orders_30d, orders_90d, orders_365d, amount_7d, amount_30d, amount_90d, amount_365d, orders_30_60d, orders_60_90d,
  distinct_products_90d, lines_90d,
  round(returned_lines_90d / (returned_lines_90d + lines_90d), 6) AS return_line_rate_90d,
  round(returned_amount_90d::DOUBLE / (returned_amount_90d + amount_90d)::DOUBLE, 6) AS return_value_rate_90d,
  returns_365d, round(amount_365d::DOUBLE / orders_365d, 6) AS basket_value_mean,
  round(lines_365d / orders_365d, 6) AS basket_lines_mean,
  round(purchases[1].amount::DOUBLE / purchases[1].orders, 6) AS last_basket_value,
  round(orders_365d / (tenure_days + 1), 6) AS orders_per_day, round(orders_30d / orders_90d, 6) AS orders_30_over_90d,
  purchases[1].weekday AS last_weekday, round(thursday / orders_365d, 6) AS thursday_order_share,
  round(sunday / orders_365d, 6) AS sunday_order_share, purchases[1].country = 'United Kingdom' AS is_uk,
  DATE '{{day}}' AS batch_date
FROM gapped
"""


@dataclass
class DuckLake:
    """Tables as folders with one Parquet file a day."""

    root: Path
    landing: Path

    def night(self, day: date) -> None:
        """All tables of one day; a day without a file has none."""
        landed = self.landing / f"{day}.csv"
        if not landed.exists():
            return
        with duckdb.connect() as connection:
            self._write(
                connection,
                "bronze.sales_lines",
                day,
                f"""SELECT parse_filename(filename) AS source_file, row_number() OVER () AS record_no, InvoiceNo AS invoice_no,
                StockCode AS stock_code, Description AS description, Quantity AS quantity, InvoiceDate AS invoice_date,
                UnitPrice AS unit_price, CustomerID AS customer_id, Country AS country, DATE '{day}' AS batch_date
                FROM read_csv('{landed}', header = true, all_varchar = true, quote = '"', escape = '"', filename = true)""",
            )
            self._write(
                connection,
                "silver.sales_lines",
                day,
                _LINES.format(bronze=self.file("bronze.sales_lines", day)),
            )
            silver = self.file("silver.sales_lines", day)
            self._write(connection, "silver.customer_days", day, _CUSTOMER_DAYS.format(silver=silver))
            self._write(connection, "gold.daily_sales", day, _DAILY_SALES.format(silver=silver))
            year = [day - timedelta(n) for n in range(365)]
            files = [str(file) for d in year if (file := self.file("silver.customer_days", d)).exists()]
            self._write(
                connection, "gold.customer_features", day, _FEATURES.format(customer_days=files, day=day)
            )

    def file(self, table: str, day: date) -> Path:
        """Where a table's rows of one day are."""
        return self.root / table / f"{day}.parquet"

    def _write(self, connection: duckdb.DuckDBPyConnection, table: str, day: date, query: str) -> None:
        target = self.file(table, day)
        target.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
