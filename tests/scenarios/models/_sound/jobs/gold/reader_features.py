"""gold.reader_features: stands in for a job."""
