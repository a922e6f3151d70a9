"""A broker that answers nothing of a kind is told from one hung question."""

from gateway.core.silence import IN_A_ROW_SECONDS, PAUSE_SECONDS, Silence


def test_one_question_without_an_answer_is_not_yet_silence() -> None:
    silence = Silence().after_none("SPY", asked_at=0, at=10)
    assert silence.seconds_left(10) == 0


def test_one_contract_that_hangs_is_no_silence_however_often_it_is_asked_for() -> None:
    silence, at = Silence(), 0.0
    for _ in range(9):
        silence = silence.after_none("SPY", asked_at=at, at=at + 10)
        assert silence.seconds_left(at + 10) == 0
        at += 20


def test_after_two_in_a_row_nothing_is_asked_for_a_while() -> None:
    silence = Silence().after_none("SPY", asked_at=0, at=10).after_none("QQQ", asked_at=10, at=20)
    assert silence.seconds_left(20) == PAUSE_SECONDS
    assert silence.seconds_left(25) == PAUSE_SECONDS - 5
    assert silence.seconds_left(20 + PAUSE_SECONDS) == 0


def test_those_asked_together_count_each() -> None:
    silence = Silence().after_none("SPY", asked_at=0, at=10).after_none("QQQ", asked_at=0, at=10)
    assert silence.seconds_left(10) > 0
    assert silence.unanswered == 2


def test_hung_questions_beside_answered_ones_are_their_own_trouble() -> None:
    silence = Silence().after_answer(at=3)
    for about in "abcde":
        silence = silence.after_none(about, asked_at=0, at=60)
    assert silence.seconds_left(60) == 0


def test_an_answer_between_begins_the_row_anew() -> None:
    silence = Silence().after_none("SPY", asked_at=0, at=10).after_answer(at=11)
    assert silence.after_none("QQQ", asked_at=12, at=22).seconds_left(22) == 0


def test_the_first_question_after_the_pause_is_enough_to_go_on_waiting() -> None:
    """Of a broker that is still silent, or each pause would cost two deadlines."""
    silence = Silence().after_none("SPY", asked_at=0, at=60).after_none("QQQ", asked_at=0, at=60)
    asked_at = 60 + PAUSE_SECONDS
    silence = silence.after_none("SPY", asked_at, asked_at + 60)
    assert silence.seconds_left(asked_at + 60) == PAUSE_SECONDS


def test_contracts_that_hang_once_in_every_run_never_silence_the_others() -> None:
    silence, at = Silence(), 0.0
    for about in "abcde":
        silence = silence.after_none(about, asked_at=at, at=at + 10)
        assert silence.seconds_left(at + 10) == 0
        at += 10 + IN_A_ROW_SECONDS
