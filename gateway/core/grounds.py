"""What a net went by, kept in its run's document so that it can be told later. Pure."""

from gateway.core.desk import Desk
from schemas import codec
from schemas.grounds import Grounds
from schemas.settings import Settings


def grounds(desk: Desk) -> Grounds:
    """The account as last read, the trading state, and every setting that is not the default."""
    values = desk.values
    return Grounds(
        trading_state=desk.trading_state,
        read_at=desk.read_at,
        net_liquidation=values.net_liquidation if values else None,
        base_currency=values.base_currency if values else "",
        settings=_set_by_people(desk.settings),
    )


def _set_by_people(settings: Settings) -> dict[str, str]:
    """What differs from the defaults, as text."""
    default = codec.to_document(Settings())
    return {
        name: str(value)
        for name, value in sorted(codec.to_document(settings).items())
        if value != default.get(name) and not name.endswith(codec.NUMBER_SUFFIX)
    }
