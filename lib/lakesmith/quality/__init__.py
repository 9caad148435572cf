"""Quality: row rules, the gate that judges batches, and Great Expectations."""
