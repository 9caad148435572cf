"""Contracts: what every table, source and suite promises, and how they hang together. Never imports pyspark."""
