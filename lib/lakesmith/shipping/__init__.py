"""Code to a cluster: the archive that holds it, the spark-submit command that sends it, and following what comes of it."""
