"""Parts of ib_async orders that repeat: conditions, legs, routing."""

from ib_async import ComboLeg, TagValue
from ib_async import order as ib_order

CONDITIONS = [
    ib_order.PriceCondition(price=5.5, conId=7, exch="X", triggerMethod=2),
    ib_order.TimeCondition(time="20251212 10:00:00 US/Eastern"),
    ib_order.MarginCondition(percent=30),
    ib_order.ExecutionCondition(secType="STK", exch="X", symbol="SPY"),
    ib_order.VolumeCondition(volume=9, conId=7, exch="X"),
    ib_order.PercentChangeCondition(changePercent=1.5, conId=7, exch="X"),
]
LEG = ComboLeg(5, 2, "BUY", "SMART", 1, 2, "there", -1)
COMBINATION = {
    "orderComboLegs": [ib_order.OrderComboLeg(1.5)],
    "smartComboRoutingParams": [TagValue("NonGuaranteed", "1")],
}
