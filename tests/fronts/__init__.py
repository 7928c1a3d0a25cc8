"""Programs and libraries of others, beside the extension: run with `.ci/run fronts [LANE]`."""
