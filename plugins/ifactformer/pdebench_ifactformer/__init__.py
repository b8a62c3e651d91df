"""Factorised attention along the axes of a grid: IFactFormer-m, IFactFormer-o and FactFormer."""
