"""Static pages that show what the tables and the ledger hold; made without a JVM."""
