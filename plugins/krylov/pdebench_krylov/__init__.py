"""Krylov and direct solvers of the linear systems that equations give."""
