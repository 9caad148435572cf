#!/bin/sh
# Amazon MWAA runs this on every component before Airflow starts. The platform's environment (Spark, Delta, MLflow) is made beside Airflow's,
# since the Spark provider brings packages that overwrite pyspark's files; only where tasks and triggers run.
set -eu

# conf/ and jobs/ lie in the DAG folder.
export LAKESMITH_PROJECT=/usr/local/airflow/dags
export LAKESMITH_ENV=prod
export AIRFLOW_CONN_SPARK_DEFAULT='{"conn_type": "spark", "host": "local[*]"}'

platform=/usr/local/airflow/platform
wheels=/usr/local/airflow/plugins
case "${MWAA_AIRFLOW_COMPONENT:-worker}" in
  worker | scheduler | triggerer)
    if [ ! -x "$platform/bin/lakesmith" ]; then
      python3 -m venv "$platform"
      "$platform/bin/pip" install --quiet --require-hashes --requirement "$LAKESMITH_PROJECT/requirements/dev.txt"
      "$platform/bin/pip" install --quiet --no-deps --find-links "$wheels" lakesmith
      "$platform/bin/python" -m lakesmith.lake.java install --requirements "$LAKESMITH_PROJECT/requirements/java.txt"
      "$platform/bin/python" -m lakesmith.lake.jars fetch --into "$platform/jars" \
        --lock "$LAKESMITH_PROJECT/requirements/jars.lock" --cache "$platform/ivy"
      "$platform/bin/python" -m lakesmith.lake.jars configure --jars "$platform/jars"
    fi
    export LAKESMITH__JARS_DIR="$platform/jars"
    export PATH="$platform/bin:$PATH"
    ;;
esac
