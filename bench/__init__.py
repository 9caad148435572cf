"""Lakesmith measured beside what a user would pick instead, on the same data: `python -m bench --help`.

One module a benchmark, `bench.measure` runs and times, `lakesmith.lake.spark_work` counts what Spark did, `bench.report` keeps
what was found in docs/performance.json and draws docs/performance.md from it. Studies of what is right instead of what is quick
(leakage, events, year) and of pages (site) are scripts of their own.
"""
