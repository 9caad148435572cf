"""gold.reader_scores: stands in for a job."""
