"""Two-dimensional Navier-Stokes flow on the torus: data sets and the tasks asked of them."""
