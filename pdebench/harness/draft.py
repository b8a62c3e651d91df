"""What is known of a run before its solver is touched: the record of whoever dies trying."""

import datetime
from typing import TYPE_CHECKING, Any

from pdebench.harness.environment import environment, versions
from pdebench.harness.record import Record

if TYPE_CHECKING:
    from pdebench.task import Task


def task_facts(task: "Task") -> dict[str, Any]:
    """Return what a record says of its task, without the track and the data's digest."""
    return {
        "name": task.name,
        "version": task.version,
        "dataset": task.dataset.card.to_json(),
        "metrics": {
            m.short: {"name": m.name, "unit": m.unit, "better": m.better} for m in task.metrics
        },
        "headline": task.metrics[0].short,
        "evaluate": list(task.evaluate),
        "ladder": list(task.ladder),
    }


def draft(
    task: "Task", described: dict[str, Any], config: dict[str, Any], run_id: str, kind: str
) -> Record:
    """Return a failed record that holds all that the task and the configuration say."""
    target = str(config["solver"]["_target_"])
    facts = {key: value for key, value in described.items() if key not in ("task", "trials")}
    return Record(
        id=run_id,
        status="failed",
        reason="it did not end",
        task=task_facts(task) | described.get("task", {}),
        solver={"target": target, **facts},
        seed=config["seed"],
        uses=[],
        environment=environment(kind),
        versions=versions(),
        config=config,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
