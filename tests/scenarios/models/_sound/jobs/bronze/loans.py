"""bronze.loans: stands in for a job."""
