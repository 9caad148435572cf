"""The lake: a Spark session, reading, staging, publishing, leases."""
