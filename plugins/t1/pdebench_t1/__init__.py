"""Transform Once (Poli et al., NeurIPS 2022) as a plugin of the suite."""
