"""What the DAG files in airflow/dags declare with: tasks from contracts, operators, sensors and triggers.

It stands in the wheel and not in the DAG folder, since the triggerer imports triggers by name and knows no DAG folder. `work` and
`verdicts` are pure; the other modules need Apache Airflow, which lives in an environment of its own, and nothing else of
Lakesmith than contracts and settings: what has to be computed or looked up is done by processes of the platform's environment.
"""
