"""The table of faults: each name once, from which everything else about it follows.

A new fault is a class in one of the modules here and one line in this table: its docstring is its
documentation, its fields are its parameters, in Python as over the control port.
"""

from collections.abc import Mapping

from gateway.simulator.faults import (
    accounts,
    answers,
    connections,
    delays,
    links,
    orderings,
    quotes,
    refusals,
    trades,
)
from gateway.simulator.faults.injection import FaultKind, Injection, Injector


class Faults(Injection):
    """One method per fault; each injects it and returns the id to clear it by."""

    # What becomes of orders on their way, and of what is said about them.
    silent_loss = Injector(delays.SilentLoss)
    late_orders = Injector(delays.LateOrders)
    late_acks = Injector(delays.LateAcks)
    late_statuses = Injector(delays.LateStatuses)
    late_executions = Injector(delays.LateExecutions)
    late_commissions = Injector(delays.LateCommissions)
    blocking_dialog = Injector(delays.BlockingDialog)
    duplicated_statuses = Injector(orderings.DuplicatedStatuses)
    missing_statuses = Injector(orderings.MissingStatuses)
    reordered_statuses = Injector(orderings.ReorderedStatuses)
    missing_open_orders = Injector(orderings.MissingOpenOrders)
    status_before_execution = Injector(orderings.StatusFirst)
    execution_before_ack = Injector(orderings.ExecutionFirst)
    duplicated_executions = Injector(orderings.DuplicatedExecutions)
    missing_executions = Injector(orderings.MissingExecutions)
    commission_before_execution = Injector(orderings.CommissionFirst)
    missing_commissions = Injector(orderings.MissingCommissions)
    notice_before_status = Injector(orderings.NoticeFirst)
    missing_perm_ids = Injector(orderings.MissingPermIds)

    # What the broker does to them.
    odd_parts = Injector(trades.OddParts)
    fill_after_cancel = Injector(trades.FillAfterCancel)
    preset_notice = Injector(trades.PresetNotice)
    execution_correction = Injector(trades.ExecutionCorrection)
    execution_bust = Injector(trades.ExecutionBust)
    vanished_order = Injector(trades.VanishedOrder)
    inactive_order = Injector(trades.InactiveOrder)
    locate_hold = Injector(trades.LocateHold)

    # Refusals, and what looks like one.
    rejection = Injector(refusals.Rejection)
    late_rejection = Injector(refusals.LateRejection)
    misleading_notice = Injector(refusals.MisleadingNotice)
    cancel_refused = Injector(refusals.CancelRefused)
    cancel_lost = Injector(refusals.CancelLost)
    late_cancel = Injector(refusals.LateCancel)
    what_if_trouble = Injector(refusals.WhatIfTrouble)
    refused_requests = Injector(refusals.RefusedRequests)
    unanswered_requests = Injector(refusals.UnansweredRequests)
    historical_pacing = Injector(refusals.HistoricalPacing)
    pacing_refusals = Injector(refusals.PacingRefusals)
    read_only_api = Injector(refusals.ReadOnlyApi)

    # Answers.
    missing_messages = Injector(answers.MissingMessages)
    late_messages = Injector(answers.LateMessages)
    duplicated_messages = Injector(answers.DuplicatedMessages)
    swapped_messages = Injector(answers.SwappedMessages)
    missing_end = Injector(answers.MissingEnd)
    late_end = Injector(answers.LateEnd)
    duplicated_answers = Injector(answers.DuplicatedAnswers)
    clock_skew = Injector(answers.ClockSkew)
    execution_zone = Injector(answers.ExecutionZone)

    # The account and the market.
    omitted_position = Injector(accounts.OmittedPosition)
    wrong_position = Injector(accounts.WrongPosition)
    missing_account_values = Injector(accounts.MissingAccountValues)
    stale_account_values = Injector(accounts.StaleAccountValues)
    second_account = Injector(accounts.SecondAccount)
    hand_trade = Injector(accounts.HandTrade)
    forced_liquidation = Injector(accounts.ForcedLiquidation)
    split_without_notice = Injector(accounts.SplitWithoutNotice)
    silent_market_data = Injector(quotes.SilentMarketData)
    stale_quotes = Injector(quotes.StaleQuotes)
    crossed_quotes = Injector(quotes.CrossedQuotes)
    competing_session = Injector(quotes.CompetingSession)

    # The link, the gateway, the socket.
    link_lost = Injector(links.LinkLost)
    nightly_disconnects = Injector(links.NightlyDisconnects)
    farm_notice = Injector(links.FarmNotices)
    half_dead_gateway = Injector(connections.HalfDeadGateway)
    no_next_valid_id = Injector(connections.NoNextValidId)
    no_accounts = Injector(connections.NoAccounts)
    client_id_locked = Injector(connections.ClientIdLocked)
    rolled_back_ids = Injector(connections.RolledBackIds)
    connection_reset = Injector(connections.ConnectionReset)
    half_open = Injector(connections.HalfOpen)
    garbage_bytes = Injector(connections.GarbageBytes)
    miscounted_fields = Injector(connections.MiscountedFields)
    slow_delivery = Injector(delays.SlowDelivery)
    latency = Injector(delays.Latency)
    gateway_down = Injector(connections.GatewayDown)
    gateway_restart = Injector(connections.GatewayRestart)
    swizzle = Injector(connections.Swizzle)


FAULTS: Mapping[str, FaultKind] = Faults.kinds
"""Every fault by its name."""
