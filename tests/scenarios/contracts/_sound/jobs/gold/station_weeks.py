"""gold.station_weeks: stands in for a job."""
