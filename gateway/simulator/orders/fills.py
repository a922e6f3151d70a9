"""In how many parts an order is executed, and under which ids. Prices: fill_models, order_types."""

import hashlib
import math
from decimal import Decimal

from gateway.simulator.orders.orders import Execution

EXECUTIONS_MAX = 100
"""Most executions one fill is cut into."""


def parts(quantity: Decimal, quantity_max: Decimal | None, seed: int) -> list[Decimal]:
    """Cut a fill into executions of half to all of `quantity_max` shares, drawn from the seed.

    The bound is raised where it would make more than `EXECUTIONS_MAX` of them.
    """
    if quantity_max is None:
        return [quantity]
    bound = max(int(quantity_max), 1, math.ceil(2 * quantity / EXECUTIONS_MAX))
    sizes: list[Decimal] = []
    left = quantity
    while left > bound:
        drawn = number_from(seed, "part", len(sizes)) % (bound // 2 + 1)
        sizes.append(Decimal(bound - drawn))
        left -= sizes[-1]
    return [*sizes, left]


def execution_id(seed: int, serial: int) -> str:
    """An id like IB's: four groups of hexadecimal digits, the last one counts corrections."""
    return f"{number_from(seed, 'execution', 0):08x}.{serial:08x}.01.01"


def corrected_id(execution: Execution) -> str:
    """The id of a correction: the same, the last group counted up."""
    stem, _, serial = execution.execution_id.rpartition(".")
    return f"{stem}.{int(serial) + 1:02d}"


def number_from(seed: int, purpose: str, index: int) -> int:
    """A number below 2**32 that depends on nothing but its arguments."""
    text = f"{seed}/{purpose}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
