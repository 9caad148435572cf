"""The engine: one run, and a night of runs."""
