"""Alerts: what is wrong after a night, whom to tell, and when it is over."""
