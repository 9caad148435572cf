"""The servers of a platform on one machine: which, how they are kept running, and how they are."""
