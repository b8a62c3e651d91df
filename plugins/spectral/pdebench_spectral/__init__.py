"""Pseudo-spectral Navier-Stokes on periodic domains: reference solver and classical ladder."""
