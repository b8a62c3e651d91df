"""Weights & Biases tracking: listens to the runs whose logger is this plugin's."""

from typing import TYPE_CHECKING, Any

from pdebench.hookspecs import hookimpl

if TYPE_CHECKING:
    from pdebench.harness.record import Record


def _chosen(config: dict[str, Any]) -> bool:
    target = (config.get("logger") or {}).get("_target_", "")
    return str(target).startswith("pdebench_wandb.")


@hookimpl
def run_started(config: dict[str, Any], run_id: str) -> None:
    """Open the W&B run."""
    if _chosen(config):
        from pdebench_wandb.tracking import begin

        begin(config, run_id)


@hookimpl
def run_finished(config: dict[str, Any], record: "Record") -> None:
    """Write the record's figures as the summary and close the W&B run."""
    if _chosen(config):
        from pdebench_wandb.tracking import end

        end(record)
