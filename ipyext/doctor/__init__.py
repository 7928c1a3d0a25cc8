"""``ipyext doctor``: whether the extension fits this environment, tried on a stock kernel.

`ipyext.doctor.needs` looks at what the distribution depends on, and needs none of it.
`ipyext.doctor.examination` is all that follows: `ipyext.doctor.steps` is the self-test, on the
kernel process and the client of `ipyext.demo`; `ipyext.doctor.report` tells it.
"""
