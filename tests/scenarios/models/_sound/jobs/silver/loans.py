"""silver.loans: stands in for a job."""
