"""Poseidon: the scalable operator transformer (scOT), its all2all training and its fine-tuning."""
