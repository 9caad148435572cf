"""The ledger: what was run and published, from which inputs, and what is due now. Never imports pyspark."""
