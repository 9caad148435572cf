"""Which services the stack has: one function for each server, from settings alone.

Owns their commands, variables, ports and addresses. Nothing is started here, and no file is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lakesmith.config.secrets import revealed
from lakesmith.config.settings import Settings
from lakesmith.stack.database import choose_database
from lakesmith.stack.keys import AIRFLOW_USER, DATABASE_USER, Keys
from lakesmith.stack.places import Places
from lakesmith.stack.service import Absent, Database, Declaration, Http, Login, Service

__all__ = ["AIRFLOW", "declare"]

AIRFLOW = (
    "airflow-migrate",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
)
"""Airflow's services: first the tables of its database, then its processes."""

_DAEMON_MEMORY = "512m"  # of each JVM that is no executor


def declare(settings: Settings, places: Places) -> Declaration:
    """The services of this machine in the order in which they start.

    Args:
        settings: `stack`, and the folder of the project.
        places: the stack's folder.

    Raises:
        ConfigurationError: PostgreSQL is asked for and cannot be had.
    """
    database = choose_database(settings.stack.database, places.folder)
    keys = Keys(places.secrets)
    services = [
        *_postgres(settings, database, keys),
        _mlflow(settings, places, database, keys),
        _s3(settings, places),
        *_spark(settings, places),
    ]
    environment = (settings.project_root / settings.stack.airflow.expanduser()).absolute()
    absent: list[Absent] = []
    if database.kind == "sqlite":
        absent.append(Absent("postgres", f"SQLite stands in: {database.reason}"))
    if (environment / "bin" / "airflow").exists():
        services += _airflow(settings, places, database, keys, environment)
    else:
        missing = f"no Airflow in {settings.stack.airflow}; to have it: make airflow"
        absent += [Absent(name, missing) for name in AIRFLOW]
    return Declaration(tuple(_with_own(settings, service) for service in services), tuple(absent), database)


def _with_own(settings: Settings, service: Service) -> Service:
    """The service with the variables that the settings add."""
    own = {name.upper(): revealed(value) or "" for name, value in settings.stack.environment.items()}
    return replace(service, environment={**service.environment, **own})


def _uri(database: Database, name: str, settings: Settings, places: Places, driver: str = "psycopg2") -> str:
    """SQLAlchemy's; the password comes from the file that PGPASSFILE names."""
    if database.kind == "sqlite":
        return f"sqlite{'+aiosqlite' if driver == 'asyncpg' else ''}:///{places.folder / name / name}.db"
    stack = settings.stack
    return f"postgresql+{driver}://{DATABASE_USER}@{stack.bind}:{stack.ports.postgres}/{name}"


def _needs(database: Database) -> tuple[str, ...]:
    return ("postgres",) if database.kind == "postgresql" else ()


def _postgres(settings: Settings, database: Database, keys: Keys) -> Iterator[Service]:
    if database.programs is None:
        return
    bind, port = settings.stack.bind, settings.stack.ports.postgres
    beside = database.folder.parent == keys.folder.parent
    elsewhere = "" if beside else f"; data in {database.folder}"
    options = {
        "listen_addresses": bind,
        "port": str(port),
        "unix_socket_directories": "",
        "logging_collector": "off",
    }
    command = [str(database.programs / "postgres"), "-D", str(database.folder)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    yield Service(
        "postgres",
        tuple(command),
        database.folder,
        Login(bind, port, DATABASE_USER, "postgres", keys.database),
        ports={"postgres": port},
        address=f"{bind}:{port}",
        note=f"user {DATABASE_USER}, password in {_shown(keys.database, settings)}{elsewhere}",
        account=database.account,
        # SIGTERM would wait for everybody who is connected; and its children are ended by itself.
        stop_signal="INT",
        stops_alone=True,
    )


def _mlflow(settings: Settings, places: Places, database: Database, keys: Keys) -> Service:
    bind, port = settings.stack.bind, settings.stack.ports.mlflow
    options = {
        "--host": bind,
        "--port": str(port),
        "--workers": "1",
        "--artifacts-destination": str(places.folder / "mlflow" / "artifacts"),
    }
    return Service(
        "mlflow",
        (*_python("mlflow"), "server", *(word for pair in options.items() for word in pair)),
        places.folder / "mlflow",
        Http(f"http://{bind}:{port}/health"),
        needs=_needs(database),
        ports={"mlflow": port},
        address=f"http://{bind}:{port}",
        note="" if database.kind == "postgresql" else "records in SQLite",
        environment={
            "PGPASSFILE": str(keys.database),
            "MLFLOW_BACKEND_STORE_URI": _uri(database, "mlflow", settings, places),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Queues of tasks that nobody here gives it.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
    )


def _s3(settings: Settings, places: Places) -> Service:
    bind, port = settings.stack.bind, settings.stack.ports.s3
    return Service(
        "s3",
        (*_python("moto.server"), "--host", bind, "--port", str(port)),
        places.folder,
        # The emulator forgets everything when it starts again; whoever finds it well finds the bucket.
        Http(f"http://{bind}:{port}/{settings.stack.bucket}", method="PUT"),
        ports={"s3": port},
        address=f"http://{bind}:{port}",
        note=f"bucket {settings.stack.bucket}, any key; kept in memory",
    )


def _spark(settings: Settings, places: Places) -> Iterator[Service]:
    stack, bind = settings.stack, settings.stack.bind
    ports = stack.ports
    launcher = str(Path(sys.prefix) / "bin" / "spark-class")
    base = {"SPARK_LOCAL_IP": bind, "SPARK_DAEMON_MEMORY": _DAEMON_MEMORY}
    deploy = "org.apache.spark.deploy"
    master = f"spark://{bind}:{ports.spark_master}"
    yield Service(
        "spark-master",
        (
            *(launcher, f"{deploy}.master.Master", "--host", bind),
            *("--port", str(ports.spark_master), "--webui-port", str(ports.spark_master_ui)),
        ),
        places.folder,
        Http(f"http://{bind}:{ports.spark_master_ui}/json/", ("status",), "ALIVE"),
        ports={"spark_master": ports.spark_master, "spark_master_ui": ports.spark_master_ui},
        address=f"http://{bind}:{ports.spark_master_ui}",
        note=f"applications: {master}",
        environment=base,
    )
    for number in range(1, stack.workers.count + 1):
        name, page = f"spark-worker-{number}", ports.spark_worker_ui + number - 1
        yield Service(
            name,
            (
                *(launcher, f"{deploy}.worker.Worker", "--host", bind, "--webui-port", str(page)),
                *("--cores", str(stack.workers.cores), "--memory", stack.workers.memory),
                *("--work-dir", str(places.folder / "spark" / name), master),
            ),
            places.folder,
            Http(f"http://{bind}:{page}/json/"),
            needs=("spark-master",),
            ports={"spark_worker_ui" if number == 1 else f"spark_worker_ui + {number - 1}": page},
            address=f"http://{bind}:{page}",
            note=f"{stack.workers.cores} core{'s' * (stack.workers.cores > 1)}, {stack.workers.memory}",
            # What applications left in the worker's folder goes after some days.
            environment={**base, "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true"},
        )
    events = f"-Dspark.history.fs.logDirectory={places.spark_events.as_uri()}"
    yield Service(
        "spark-history",
        (launcher, f"{deploy}.history.HistoryServer"),
        places.folder,
        Http(f"http://{bind}:{ports.spark_history}/api/v1/applications"),
        ports={"spark_history": ports.spark_history},
        address=f"http://{bind}:{ports.spark_history}",
        note=f"events in {_shown(places.spark_events, settings)}",
        environment={**base, "SPARK_HISTORY_OPTS": f"{events} -Dspark.history.ui.port={ports.spark_history}"},
    )


def _airflow(
    settings: Settings, places: Places, database: Database, keys: Keys, environment: Path
) -> Iterator[Service]:
    stack, bind = settings.stack, settings.stack.bind
    url = f"http://{bind}:{stack.ports.airflow}"
    variables = _airflow_variables(settings, places, database, keys, environment, url)
    program = str(environment / "bin" / "airflow")
    home = settings.project_root
    migrate, server, scheduler, processor, triggerer = AIRFLOW
    yield Service(
        migrate, (program, "db", "migrate"), home, None, needs=_needs(database), environment=variables
    )
    health = f"{url}/api/v2/monitor/health"
    yield Service(
        server,
        (program, "api-server", "--host", bind, "--port", str(stack.ports.airflow), "--workers", "1"),
        home,
        Http(health, ("metadatabase", "status"), "healthy"),
        needs=(migrate,),
        ports={"airflow": stack.ports.airflow},
        address=url,
        note=f"user {AIRFLOW_USER}, password in {_shown(keys.airflow_users, settings)}",
        environment=variables,
    )
    # Logs of tasks are read from this machine's own files: nobody need serve them.
    for name, words in {
        scheduler: ("scheduler", "--skip-serve-logs"),
        processor: ("dag-processor",),
        triggerer: ("triggerer", "--skip-serve-logs"),
    }.items():
        yield Service(
            name,
            (program, *words),
            home,
            Http(health, (words[0].replace("-", "_"), "status"), "healthy"),
            needs=(migrate,),
            environment=variables,
        )


def _airflow_variables(
    settings: Settings, places: Places, database: Database, keys: Keys, environment: Path, url: str
) -> Mapping[str, str]:
    stack = settings.stack
    spark = {"conn_type": "spark", "host": f"spark://{stack.bind}", "port": stack.ports.spark_master}
    sections = {
        "core": {
            "dags_folder": str((settings.project_root / stack.dags.expanduser()).absolute()),
            "executor": "LocalExecutor",
            # A process is forked for each at once; Spark's workers are busy with fewer.
            "parallelism": "8",
            "load_examples": "False",
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_users": f"{AIRFLOW_USER}:admin",
            "simple_auth_manager_passwords_file": str(keys.airflow_users),
            "fernet_key_cmd": f"cat '{keys.fernet}'",
        },
        "api": {"base_url": url, "secret_key_cmd": f"cat '{keys.sessions}'"},
        "api_auth": {"jwt_secret_cmd": f"cat '{keys.tokens}'"},
        "database": {
            "sql_alchemy_conn": _uri(database, "airflow", settings, places),
            "sql_alchemy_conn_async": _uri(database, "airflow", settings, places, "asyncpg"),
        },
        # The first look at the DAGs comes with the start; later ones soon enough for somebody who writes them.
        "dag_processor": {"refresh_interval": "30"},
    }
    named = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for section, options in sections.items()
        for option, value in options.items()
    }
    return {
        "AIRFLOW_HOME": str(places.folder / "airflow"),
        # JSON: of the URI form the provider forgets the master, and submits to YARN.
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(spark),
        "PGPASSFILE": str(keys.database),
        "LAKESMITH_PROJECT": str(settings.project_root),
        "LAKESMITH_ENV": settings.environment,
        # `spark-submit` and `lakesmith` are the platform's.
        "PATH": f"{environment / 'bin'}:{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        # Else titles of processes overwrite the variables by which the stack knows its own.
        "SPT_NOENV": "1",
        **named,
    }


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)


def _shown(path: Path, settings: Settings) -> str:
    """A path as somebody in the project's folder would type it."""
    root = settings.project_root.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
