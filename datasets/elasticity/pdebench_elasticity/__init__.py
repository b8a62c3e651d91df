"""Elasticity data sets and the tasks asked of them."""
