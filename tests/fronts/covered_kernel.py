"""The stock kernel under coverage, as a measured subprocess is: `COVERAGE_PROCESS_START`."""

import coverage

coverage.process_startup()

from ipykernel.kernelapp import launch_new_instance  # noqa: E402  # measured from here on

if __name__ == "__main__":
    launch_new_instance()
