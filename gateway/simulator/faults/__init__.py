"""Faults of a broker and its gateway, each by name: scripted, seeded, and free to be combined.

    fault = stage.faults.silent_loss(after="booking", order=3)   # the third new order from now on
    stage.faults.inject("late_acks", seconds=2)                  # the same by name
    stage.faults.clear(fault)

Requests and deliveries pass the active faults in the order of their injection. What they hold back
waits in virtual time (see `stage`). Everything they did is in `faults.log`.
"""

from gateway.simulator.faults.catalogue import FAULTS, Faults
from gateway.simulator.faults.fault import Fault, Welcome
from gateway.simulator.faults.injection import Happened, Injected, markdown_table
from gateway.simulator.faults.parameters import FaultError

__all__ = [
    "FAULTS",
    "Fault",
    "FaultError",
    "Faults",
    "Happened",
    "Injected",
    "Welcome",
    "markdown_table",
]
