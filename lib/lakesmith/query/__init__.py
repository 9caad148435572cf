"""Questions in SQL over the tables of a lake, without a JVM: for analysts, notebooks and exports. Only reads."""
