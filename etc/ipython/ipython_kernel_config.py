# >>> ipyext >>> written by `ipyext install`, removed by `ipyext install --uninstall`
# Came with it: the file, folders: 2
# Kernels load ipyext when they start, unless IPYEXT_DISABLE=1 is set for them.
try:
    from ipyext.autoload import configure
except ImportError:  # not in this kernel's environment, or not any more
    pass
else:
    configure()
# <<< ipyext <<<
