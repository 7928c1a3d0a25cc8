"""``ipyext install``: kernels that load the extension when they start.

`ipyext.install.profile` knows the configuration files of IPython, `ipyext.install.kernelspec` the
kernelspecs of Jupyter; both say what is to be done, as data. `ipyext.install.changes` does it, all
or nothing, and `ipyext.install.command` tells people. `ipyext.install.survey` finds what is there.
"""
