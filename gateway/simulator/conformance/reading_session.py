"""Cases about the connection itself: the handshake, who is who, ids, the clock, bad bytes."""

import contextlib
from datetime import datetime

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Differs, Unsuited
from gateway.simulator.conformance.client import CODE_ID_IN_USE, Ended, Silence
from gateway.simulator.conformance.talk import Messages, Talk
from gateway.simulator.wire.codec import SERVER_VERSION_MIN
from gateway.simulator.wire.zones import zone

CHAPTER = Chapter("the session")
INFORMATION = range(2100, 2200)
UNREADABLE = {320, 321}
QUIET_SECONDS = 2.0
CLOCK_SECONDS = 120
REUSE_TRIES = 15


@CHAPTER.case()
async def the_version_is_the_lower_of_both_maxima(talk: Talk) -> None:
    """A client names the versions that it understands, the server answers with one of them.

    Source: design/ib.md 1.1, measured; ib_async #143.
    """
    version, most = talk.client.version, talk.setting.client_version
    talk.check(SERVER_VERSION_MIN <= version <= most, f"a version from 157 to {most}", str(version))
    talk.note("the client's maximum" if version == most else "below the client's maximum")


@CHAPTER.case()
async def the_greeting_is_two_fields(talk: Talk) -> None:
    """The server's first frame holds its version and its time, and nothing else.

    Source: design/ib.md 1.1; the official clients read it with one recv().
    """
    fields = talk.client.greeting
    is_right = len(fields) == 2 and len(fields[1].split(" ", 2)) == 3
    talk.check(is_right, "version, yyyymmdd hh:mm:ss zone", f"{len(fields)} fields")


@CHAPTER.case()
async def nothing_is_said_between_the_greeting_and_start_api(talk: Talk) -> None:
    """Official clients throw away what comes in the greeting's company, so nothing does.

    Source: design/ib.md 1.1.
    """
    client = await talk.dial()
    with talk.expecting("a greeting"):
        await client.greet(high=talk.setting.client_version)
    heard = await client.listen(QUIET_SECONDS)
    talk.check(not heard, "nothing before startApi", heard)


@CHAPTER.case()
async def a_connection_that_says_nothing_hears_nothing(talk: Talk) -> None:
    """The client speaks first.

    Source: TWS API, connection: the client sends the API sign and its version range.
    """
    client = await talk.dial()
    heard = await client.listen(QUIET_SECONDS)
    talk.check(not heard and not client.greeting, "silence", heard or client.greeting)


@CHAPTER.case()
async def accounts_come_before_the_next_order_id(talk: Talk) -> None:
    """After startApi come the accounts of the login, then the next order id.

    Source: design/ib.md 1.1, recorded; TWS API, connection.
    """
    kinds = Messages(talk.client.heard).of("ManagedAccounts", "NextValidId").kinds
    talk.check(kinds == ["ManagedAccounts", "NextValidId"], "accounts, then the id", kinds)
    talk.note(", ".join(kinds))


@CHAPTER.case()
async def farm_notices_are_about_no_request(talk: Talk) -> None:
    """The state of the data farms is told at connect as notices with the id -1.

    Source: TWS API, message_codes (2103 to 2158: information only).
    """
    with contextlib.suppress(Silence):
        await talk.client.until(lambda item: item.code in INFORMATION, seconds=5)
    notices = Messages(talk.client.heard).where(lambda item: item.code in INFORMATION)
    talk.check(bool(notices), "a notice about a farm", talk.client.heard)
    talk.check({item.id for item in notices} == {-1}, "the id -1", [n.id for n in notices])


@CHAPTER.case()
async def an_id_in_use_is_refused_and_the_connection_closed(talk: Talk) -> None:
    """Error 326 with the id -1 says that another connection has the client id.

    Source: TWS API, message_codes 326; design/ib.md 1.1.
    """
    client = await talk.dial()
    with talk.expecting("an answer"):
        await client.greet(high=talk.setting.client_version)
    with contextlib.suppress(Ended, Silence):
        await client.start(talk.setting.client_id, seconds=5)
    with contextlib.suppress(Silence):
        await client.until_ended(5)
    notices = Messages(client.heard)
    talk.check(CODE_ID_IN_USE in notices.codes, "error 326", notices)
    talk.check(bool(client.ended), "a closed connection", "it stays open")
    talk.note("326, closed")


@CHAPTER.case()
async def the_first_client_of_an_id_outlives_the_second(talk: Talk) -> None:
    """Who has an id keeps it: the one that came later is sent away.

    Source: TWS API, connection: each client id can be used once at a time.
    """
    client = await talk.dial()
    with talk.expecting("an answer"):
        await client.greet(high=talk.setting.client_version)
    with contextlib.suppress(Ended, Silence):
        await client.start(talk.setting.client_id, seconds=5)
    await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")


@CHAPTER.case()
async def two_clients_are_served_side_by_side(talk: Talk) -> None:
    """Up to 32 clients are connected at once, each with an id of its own.

    Source: TWS API, initial_setup: up to 32 different client applications.
    """
    other = await talk.connect()
    await other.say(q.CurrentTimeRequest())
    await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")
    with talk.expecting("an answer for the second client too"):
        await other.until(lambda item: item.kind == "CurrentTime")
    talk.check(other.accounts == talk.client.accounts, "the same accounts", "others")


@CHAPTER.case()
async def an_id_can_be_used_again_when_its_connection_ended(talk: Talk) -> None:
    """A client that reconnects gets its id back, within seconds.

    Source: TWS API, connection; ib_async #152 (an id may stay locked for a while).
    """
    first = await talk.connect()
    await first.close()
    for _ in range(REUSE_TRIES):
        again = await talk.dial()
        with talk.expecting("an answer"):
            await again.greet(high=talk.setting.client_version)
        with contextlib.suppress(Ended, Silence):
            await again.start(first.client_id, seconds=5)
            return
        await talk.client.listen(1)
    raise Differs("the id is free again within seconds", "it stays in use")


@CHAPTER.case()
async def a_client_that_leaves_does_not_disturb_the_others(talk: Talk) -> None:
    """A connection's end is its own.

    Source: TWS API, connection.
    """
    other = await talk.connect()
    since = talk.client.mark()
    await other.close()
    await talk.listen(1)
    talk.check(not talk.client.ended, "an open connection", talk.client.ended)
    about = Messages(talk.client.heard[since:]).where(lambda item: item.code not in INFORMATION)
    talk.check(not about.codes, "no notice", about)
    await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")


@CHAPTER.case()
async def the_next_order_id_stays_until_an_order_is_placed(talk: Talk) -> None:
    """reqIds answers with the next valid id; asking uses none up.

    Source: TWS API, order_submission: nextValidId is unchanged until an order was placed.
    """
    first = talk.client.next_order_id
    for _ in range(2):
        answer = await talk.ask(q.NextIdRequest(1), end="NextValidId")
        given = answer[-1].reply.order_id
        talk.check(given == first, "the id of the connect", "another")


@CHAPTER.case()
async def accounts_are_told_again_when_asked_for(talk: Talk) -> None:
    """reqManagedAccts answers with the same list as the connect.

    Source: TWS API, managed_accounts.
    """
    before = talk.client.accounts
    await talk.ask(q.ManagedAccountsRequest(), end="ManagedAccounts")
    talk.check(talk.client.accounts == before, "the same accounts", "others")


@CHAPTER.case()
async def the_current_time_does_not_go_backwards(talk: Talk) -> None:
    """reqCurrentTime answers with seconds since the epoch.

    Source: TWS API, EWrapper::currentTime.
    """
    times = []
    for _ in range(2):
        answer = await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")
        times.append(answer[-1].reply.epoch_seconds)
        await talk.listen(1)
    talk.check(0 < times[0] <= times[1], "seconds that go on", "others")


@CHAPTER.case()
async def the_current_time_is_that_of_the_greeting(talk: Talk) -> None:
    """The greeting's time and the current time are one clock: the gateway's.

    Source: TWS API, EWrapper::currentTime (synchronized, not this computer's clock).
    """
    client = await talk.connect()
    greeted = _time_of(client.greeting[1])
    if greeted is None:
        raise Unsuited("the greeting's time has a zone without a usual name")
    answer = await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")
    apart = abs(answer[-1].reply.epoch_seconds - greeted.timestamp())
    talk.check(apart <= CLOCK_SECONDS, "clocks less than two minutes apart", "more")


@CHAPTER.case()
async def an_unreadable_request_is_refused_and_the_connection_lives(talk: Talk) -> None:
    """A whole message whose field is no number is answered with an error, and that is all.

    Source: TWS API, message_codes 320 and 321; that it lives on is not documented.
    """
    since = talk.client.mark()
    await talk.client.say_fields(["2", "2", "not a number"])
    with talk.expecting("error 320 or 321"):
        notice = await talk.client.until(lambda item: item.code in UNREADABLE, since=since)
    talk.note(f"Notice {notice.code}")
    await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")


@CHAPTER.case(seconds_max=90)
async def a_client_that_reads_late_loses_nothing(talk: Talk) -> None:
    """What a client does not read yet waits for it, in order.

    Source: TCP; TWS API, connection: messages are read from the socket's queue.
    """
    client = talk.client
    client.pause(True)
    since = client.mark()
    ids = [talk.new_id() for _ in range(10)]
    for request_id in ids:
        await client.say(q.ContractDetailsRequest(request_id, talk.contract))
    await talk.listen(3)
    client.pause(False)
    with talk.expecting("ten answers"):
        await client.until(
            lambda item: item.kind == "ContractDetailsEnd" and item.id == ids[-1], since=since
        )
    await talk.listen(1)
    ends = [item.id for item in Messages(client.heard[since:]).of("ContractDetailsEnd")]
    talk.check(len(ends) == len(ids) and set(ends) == set(ids), "ten ends", f"{len(ends)} ends")


def _time_of(text: str) -> datetime | None:
    day, _, rest = text.partition(" ")
    clock, _, name = rest.partition(" ")
    try:
        stamp = f"{day} {clock}"
        return datetime.strptime(stamp, "%Y%m%d %H:%M:%S").replace(tzinfo=zone(name))
    except (ValueError, KeyError, OSError):
        return None
