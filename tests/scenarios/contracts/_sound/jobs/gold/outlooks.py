"""gold.outlooks: stands in for a job."""
