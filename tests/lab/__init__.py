"""JupyterLab and Notebook 7 in a real browser. Runs only when asked: ``pytest tests/lab``."""
