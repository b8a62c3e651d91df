"""Readers of public and own file layouts, one module each, recognised by content.

`pdebench.formats.detect.contents` describes any of them in one form, `pdebench.open_dataset` gives
an ``xarray.Dataset``, `pdebench.formats.imported.Imported` makes a data set for tasks.
"""
