"""The debug router: a debug adapter inside the kernel."""
