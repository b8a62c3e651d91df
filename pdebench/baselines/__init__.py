"""The floor of every table: two solvers that know nothing of the equation."""
