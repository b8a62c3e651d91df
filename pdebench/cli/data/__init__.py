"""``pdebench data``: one module per sub-command."""
