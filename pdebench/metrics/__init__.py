"""Scores: plain functions (solution, target, problem) -> (B,) or (B, T), one versioned name each.

Every integral over space is the domain's quadrature, so that uniform and stretched grids, meshes
and clouds agree. Nothing is averaged over samples here. ``errors``, ``spectra``, ``fourier`` ...
hold definitions that are right; ``published`` holds those of other programs where they differ,
defects included.
"""
