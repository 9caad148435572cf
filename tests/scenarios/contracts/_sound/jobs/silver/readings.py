"""silver.readings: stands in for a job."""
