"""Monitoring: profiles of batches, how far two of them are apart, and when that is called drift."""
