"""bronze.readings: stands in for a job."""
