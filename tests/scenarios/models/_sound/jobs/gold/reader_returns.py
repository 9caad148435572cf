"""gold.reader_returns: stands in for a job."""
