"""SQL over a store's records (DuckDB reads the files themselves; nothing is imported first)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdebench.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

_COLUMNS = (
    "{id: 'VARCHAR', status: 'VARCHAR', reason: 'VARCHAR', task: 'JSON', solver: 'JSON', "
    "seed: 'BIGINT', uses: 'VARCHAR[]', parameters: 'BIGINT', scores: 'JSON', costs: 'JSON', "
    "curve: 'JSON', environment: 'JSON', versions: 'JSON', config: 'JSON', created: 'VARCHAR'}"
)

# view -> its definition; {files} is the glob of the records
VIEWS = {
    "raw": "SELECT * FROM read_json('{files}', format='newline_delimited', columns=" + _COLUMNS
    + ", maximum_object_size=268435456)",
    "records": """SELECT id, environment->>'device' AS device, task->>'name' AS task,
        task->>'version' AS task_version, task->>'track' AS track, task->>'digest' AS digest,
        solver->>'name' AS solver, solver->>'plugin' AS plugin, solver->>'version' AS version,
        seed, status, reason, uses, parameters, task->>'headline' AS metric,
        CAST(costs->'fit'->>'seconds' AS DOUBLE) AS fit_seconds,
        CAST(costs->'prepare'->>'seconds' AS DOUBLE) AS prepare_seconds,
        CAST(costs->'solve'->>'seconds' AS DOUBLE) / CAST(costs->'solve'->>'batch' AS DOUBLE)
            AS solve_seconds,
        CAST(environment->>'threads' AS BIGINT) AS threads,
        CAST(created AS TIMESTAMPTZ) AS created, config FROM raw""",
    "samples": """SELECT s.id, s.device, s.task, s.track, s.solver, s.seed, s.split,
        s.metric, unnest(range(len(s.list))) AS sample,
        CAST(unnest(s.list) AS DOUBLE) AS value FROM (
        SELECT m.*, CAST(m.score->'values' AS VARCHAR[]) AS list FROM (
        SELECT p.id, p.device, p.task, p.track, p.solver, p.seed, p.split, e.key AS metric,
        e.value AS score FROM (
        SELECT raw.id, raw.environment->>'device' AS device, raw.task->>'name' AS task,
        raw.task->>'track' AS track, raw.solver->>'name' AS solver, raw.seed, j.key AS split,
        j.value AS metrics FROM raw, json_each(raw.scores) j) p, json_each(p.metrics) e) m) s""",
    "scores": """SELECT id, device, task, track, solver, seed, split, metric,
        avg(value) AS mean, median(value) AS median, min(value) AS least, max(value) AS largest,
        count(*) AS samples FROM samples GROUP BY ALL""",
}  # fmt: skip


def connect(root: Path) -> "duckdb.DuckDBPyConnection":
    """Return a connection in memory with the views ``raw``, ``records``, ``samples``, ``scores``.

    Raises ConfigError where DuckDB is not installed or the store holds no record.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise ConfigError("SQL needs duckdb; pip install 'pdebench-suite[sql]'") from error
    records = root / "records"
    if next(records.glob("*/*.json"), None) is None:
        raise ConfigError(f"store '{root}' holds no record; pdebench run makes them")
    files = str(records / "*" / "[0-9a-f]*.json").replace("'", "''")
    connection = duckdb.connect()
    for name, definition in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {definition.replace('{files}', files)}")
    return connection


def query(root: Path, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows of one statement. Raises ConfigError with DuckDB's sentence."""
    connection = connect(root)
    import duckdb

    try:
        found = connection.execute(statement)
        return [str(column[0]) for column in found.description or ()], found.fetchall()
    except duckdb.Error as error:
        raise ConfigError(f"SQL: {error} (views: {', '.join(VIEWS)})") from error
