from gateway.simulator import replies as r
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.talk import Messages, said, story


def heard(*replies: object) -> Messages:
    return Messages(Heard(at, 0.0, ("0",), reply) for at, reply in enumerate(replies))


ROW = r.AccountSummary(7, "DU1", "NetLiquidation", "1", "USD")


def test_a_story_has_kinds_in_order_repeats_as_plus_and_codes_of_notices() -> None:
    messages = heard(ROW, ROW, ROW, r.AccountSummaryEnd(7), r.Notice(7, 322, "text"))
    assert story(messages) == "AccountSummary+, AccountSummaryEnd, Notice 322"
    assert story([]) == "nothing"


def test_messages_are_chosen_by_kind_id_and_test() -> None:
    messages = heard(ROW, r.PositionEnd(), r.Notice(8, 200, "text"))
    assert messages.of("AccountSummary", "PositionEnd").kinds == ["AccountSummary", "PositionEnd"]
    assert messages.about(7).replies == [ROW]
    assert messages.codes == [200]
    assert messages.where(lambda item: item.code == 200).kinds == ["Notice"]


def test_what_was_heard_is_told_in_words() -> None:
    assert said(heard(ROW)) == "AccountSummary"
    assert said("a word") == "a word"
    assert said([1, 2]) == "[1, 2]"
