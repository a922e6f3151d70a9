"""From a delivery to something the desk can take up, or to the dead letters with a reason.

What does not validate is the message's own fault: it goes to the dead-letter topic with its
original bytes and a sentence, is acked, and never stops the ones behind it. What the world prevents
raises, and the message comes again.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.archive import run_path
from gateway.core.events import Said
from gateway.floor import Floor
from gateway.ports import Delivery
from gateway.session import Unresolved
from schemas import codec
from schemas.commands import (
    Command,
)
from schemas.documents import RunDocument, TargetsDocument
from schemas.messages import (
    DEAD_LETTERS,
    Report,
    Target,
    Targets,
    topic_name,
)

FUTURE_SECONDS_MAX: Final = 60
"""How far ahead of our clock an `as_of` may be [T2]; more is a wrong clock, not a late message."""

RUN_ID_CHARACTERS_MAX: Final = 200
"""It is part of attributes and of sentences, which have limits of their own."""

_SEEN_MAX: Final = 10_000
_ATTRIBUTE_BYTES_MAX: Final = 1024
_REASON_CHARACTERS_MAX: Final = 1000
"""A reason is repeated in orders and runs, whose documents have a limit of their own."""


class Refused(ValueError):
    """A well-formed message that cannot be used; the text says why and what to do."""


@dataclass(slots=True)
class Intake:
    """Reads deliveries for one floor. `first_seen` dates messages under virtual time [T2]."""

    floor: Floor
    first_seen: OrderedDict[str, datetime] = field(default_factory=OrderedDict)

    async def command(self, delivery: Delivery) -> Command | None:
        """The command delivered, or None if it went to the dead letters."""
        try:
            return codec.decode_command(delivery.data)
        except codec.Invalid as error:
            await self.bury(delivery, str(error))
            return None

    async def targets(self, delivery: Delivery) -> Said | None:
        """The targets delivered, dated and resolved; None if they went to the dead letters.

        Raises `BrokerUnavailable` when nobody could say what the contracts are.
        """
        try:
            said = codec.decode(Targets, delivery.data)
            await self._check_strategy(said)
            document = await self._document(said, delivery)
            is_late = await self._is_late_for_dry_run(said)
        except (codec.Invalid, Refused, Unresolved) as error:
            await self.bury(delivery, str(error))
            return None
        self._tell_if_contradicted(document)
        if said.dry_run and not self._is_dry_answer(said):
            self._alert(said.strategy, "dry_run targets outside a dry run change nothing")
            return None
        if is_late:
            self._alert(
                said.strategy, f"an answer to the dry run {said.run_id} came late, changes nothing"
            )
            return None
        return Said(document, said.dry_run)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Send a delivery to the dead letters with the reason, and tell it."""
        floor = self.floor
        attributes = {
            "reason": _clipped(reason),
            "source-subscription": delivery.subscription,
            "source-message-id": delivery.message_id,
        }
        topic = topic_name(DEAD_LETTERS, floor.mode)
        await floor.doors.bus.publish(topic, delivery.data, attributes)
        sentence = f"message {delivery.message_id} of {delivery.subscription} refused: {reason}"
        details = {"message_id": delivery.message_id}
        floor.tell([Report("refusal", floor.now, floor.mode, sentence, details=details)])

    async def _document(self, said: Targets, delivery: Delivery) -> TargetsDocument:
        if len(said.run_id) > RUN_ID_CHARACTERS_MAX:
            raise Refused(
                f"run_id: more than {RUN_ID_CHARACTERS_MAX} characters; give a shorter one"
            )
        as_of = said.as_of or self._dated(delivery)
        ahead = (as_of - self.floor.now).total_seconds()
        if ahead > FUTURE_SECONDS_MAX:
            raise Refused(
                f"as_of: {as_of.isoformat()} is {ahead:.0f} s in the future, at most "
                f"{FUTURE_SECONDS_MAX} s allowed; set the sender's clock right, or leave as_of out"
            )
        fresh = timedelta(minutes=self.floor.desk.settings.fresh_minutes)
        return TargetsDocument(
            strategy=said.strategy,
            targets=await self._resolved(said.targets),
            as_of=as_of,
            valid_until=said.valid_until or as_of + fresh,
            message_id=delivery.message_id,
            run_id=said.run_id,
            last_status=said.status,
            last_reason=said.reason[:_REASON_CHARACTERS_MAX],
            last_as_of=as_of,
            last_message_id=delivery.message_id,
            last_run_id=said.run_id,
            last_digest=_digest(said),
            together_until=said.together_until,
        )

    async def _resolved(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """The targets with every contract as the broker names it, by its conId [T3].

        What a person said of it was a description. A multiplier that the broker contradicts is
        refused: whoever wrote it sized by it [M14].
        """
        found = []
        for index, target in enumerate(targets):
            try:
                contract = await self.floor.doors.session.resolve(target.contract)
            except Unresolved as error:
                raise Refused(f"targets[{index}]: {error}") from error
            if target.multiplier not in (1, contract.multiplier):
                raise Refused(
                    f"targets[{index}]: multiplier: {target.multiplier:f}, but the broker's of "
                    f"{contract.local_symbol or contract.symbol} is {contract.multiplier:f}; size "
                    f"by that, or leave it out"
                )
            found.append(Target.of(contract, target.quantity))
        con_ids = [target.con_id for target in found]
        if len(set(con_ids)) < len(con_ids):
            raise Refused("targets: two entries are the same contract; name it once")
        return tuple(found)

    async def _check_strategy(self, said: Targets) -> None:
        """Known is what `strategies/` holds now: one that we missed was perhaps just made [T3]."""
        floor = self.floor
        if said.strategy in floor.desk.strategies:
            return
        unread = ""
        try:
            await floor.configure()
        except codec.Invalid as error:
            unread = f"; {error}"
        if said.strategy not in floor.desk.strategies:
            known = ", ".join(sorted(floor.desk.strategies)) or "none"
            raise Refused(
                f"strategy: {said.strategy!r} is not known ({known}); make strategies/"
                f"{said.strategy} first{unread}"
            )

    def _tell_if_contradicted(self, document: TargetsDocument) -> None:
        """Equal `as_of` with other content: alert; the desk keeps the first [T2].

        It still counts as an answer, or the run that asked would wait for its deadline.
        """
        known = self.floor.desk.targets.get(document.strategy)
        if known is None or known.last_as_of != document.last_as_of:
            return
        if known.last_digest != document.last_digest:
            self._alert(
                document.strategy,
                f"message {document.last_message_id} contradicts message {known.last_message_id} "
                "as of the same instant; the first is kept",
            )

    def _dated(self, delivery: Delivery) -> datetime:
        """The time of publishing; under virtual time, of first sight, also when it comes again."""
        if not self.floor.doors.clock.is_virtual:
            return delivery.publish_time
        at = self.first_seen.setdefault(delivery.message_id, self.floor.now)
        if len(self.first_seen) > _SEEN_MAX:
            self.first_seen.popitem(last=False)
        return at

    def _is_dry_answer(self, said: Targets) -> bool:
        run = self.floor.desk.run
        return run is not None and run.document.dry_run and run.document.run_id == said.run_id

    async def _is_late_for_dry_run(self, said: Targets) -> bool:
        """The run decides also when it is over: its answer must not be traded by the next net."""
        open_run = self.floor.desk.run
        if not said.run_id or (open_run and open_run.document.run_id == said.run_id):
            return False
        try:
            path = run_path(said.run_id)
        except ValueError:
            return False  # no run has such an id
        run = await self.floor.doors.archive.read(RunDocument, path)
        return run is not None and run.dry_run

    def _alert(self, strategy: str, sentence: str) -> None:
        floor = self.floor
        said = f"{strategy}: {sentence}"
        details = {"alert": "targets_ignored"}
        report = Report("alert", floor.now, floor.mode, said, strategy=strategy, details=details)
        floor.tell([report])


def _digest(said: Targets) -> str:
    """A short fingerprint of what was said, whichever run asked for it."""
    content = replace(said, run_id="", dry_run=False, diagnostics={})
    return hashlib.sha256(codec.encode(content)).hexdigest()[:16]


def _clipped(text: str) -> str:
    """As much of a text as an attribute may hold."""
    return text.encode()[:_ATTRIBUTE_BYTES_MAX].decode(errors="ignore")
