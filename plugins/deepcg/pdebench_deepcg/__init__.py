"""Deep conjugate directions (Kaneda et al., ICML 2023) as a plugin of the suite."""
