"""Metrics for Prometheus, read from the ledger without a JVM."""
