"""Exceptions of the suite: each message says what was expected, what was got and what to do."""


class PdebenchError(Exception):
    """Root of every error the suite raises on purpose; the command line prints it without a
    traceback.
    """


class ConfigError(PdebenchError, ValueError):
    """A configuration names something unknown or holds a value of the wrong type or range."""


class Unsupported(PdebenchError):
    """A solver, metric or view does not apply to what it was asked for; the message is the
    reason.
    """


class AccessError(PdebenchError):
    """A solver tried to see labels, the equation or files that it did not declare in ``uses``."""


class PluginError(PdebenchError):
    """Two plugins collide, or a plugin cannot be loaded."""


class DataError(PdebenchError):
    """A file or folder of data is missing, truncated, edited, or of another version than asked
    for.
    """


class StoreError(PdebenchError):
    """The record store cannot be read or written."""


class SolverError(PdebenchError):
    """A solver returned something that is no solution: wrong shape, dtype, device or values."""


class Diverged(PdebenchError):
    """A training, iteration or time integration produced NaN or infinity; the message says when."""


class BudgetExceeded(PdebenchError):
    """A phase ran longer than its limit."""
