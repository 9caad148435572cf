"""Models: training frames, candidates, evaluation, registry and scoring."""
