"""Service levels: whether the promises of conf/slo.yml are kept, by what the ledger recorded."""
