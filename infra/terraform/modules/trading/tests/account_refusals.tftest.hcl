# Modes, accounts and ports that do not agree: not even planned.

mock_provider "google" {}

variables {
  project_id            = "a-live-project"
  mode                  = "live"
  account               = "U1234567"
  live_trading_accepted = "U1234567"
  static_egress         = true
}

run "another_mode" {
  command = plan

  variables {
    mode = "prod"
  }

  expect_failures = [var.mode]
}

run "live_with_a_paper_account" {
  command = plan

  variables {
    account               = "DU1234567"
    live_trading_accepted = "DU1234567"
  }

  expect_failures = [var.account]
}

run "paper_with_a_live_account" {
  command = plan

  variables {
    mode                  = "paper"
    account               = "U1234567"
    live_trading_accepted = ""
  }

  expect_failures = [var.account]
}

run "live_that_nobody_accepted" {
  command = plan

  variables {
    live_trading_accepted = ""
  }

  expect_failures = [var.live_trading_accepted]
}

run "live_accepted_for_another_account" {
  command = plan

  variables {
    live_trading_accepted = "U7654321"
  }

  expect_failures = [var.live_trading_accepted]
}

run "live_with_the_port_of_paper" {
  command = plan

  variables {
    ib_port = 4002
  }

  expect_failures = [var.ib_port]
}

run "paper_with_the_port_of_live" {
  command = plan

  variables {
    mode                  = "paper"
    account               = "DU1234567"
    live_trading_accepted = ""
    ib_port               = 4001
  }

  expect_failures = [var.ib_port]
}
