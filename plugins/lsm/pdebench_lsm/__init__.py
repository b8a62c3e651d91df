"""Latent spectral models (Wu, Hu, Luo, Wang, Long, ICML 2023) as a plugin of the suite."""
