# What must not even be planned.

mock_provider "google" {}

variables {
  project_id            = "a-live-project"
  mode                  = "live"
  account               = "U1234567"
  live_trading_accepted = "U1234567"
  static_egress         = true
  commander_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/gateway@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  functions_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/functions@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  gateway_image         = "us-east4-docker.pkg.dev/a-live-project/ghcr/gnzsnz/ib-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
}

run "live_without_a_static_address" {
  command = plan

  variables {
    static_egress = false
  }

  expect_failures = [var.static_egress]
}

run "two_commanders" {
  command = plan

  variables {
    commander_instances = 2
  }

  expect_failures = [var.commander_instances]
}

run "half_a_commander" {
  command = plan

  variables {
    commander_instances = 0.5
  }

  expect_failures = [var.commander_instances]
}

run "a_commander_without_an_image" {
  command = plan

  variables {
    commander_instances = 1
    commander_image     = null
    functions_image     = null
    gateway_image       = null
  }

  expect_failures = [var.commander_instances]
}

run "an_image_by_its_tag" {
  command = plan

  variables {
    commander_image = "us-east4-docker.pkg.dev/a-live-project/ib-trading/gateway:latest"
    functions_image = "us-east4-docker.pkg.dev/a-live-project/ib-trading/functions:latest"
    gateway_image   = "ghcr.io/gnzsnz/ib-gateway:stable"
  }

  expect_failures = [var.commander_image]
}

run "one_image_of_three" {
  command = plan

  variables {
    functions_image = null
    gateway_image   = null
  }

  expect_failures = [var.functions_image, var.gateway_image]
}

run "a_password_in_the_state" {
  command = plan

  variables {
    gateway_environment = { TWS_PASSWORD = "not a real one" }
  }

  expect_failures = [var.gateway_environment]
}

run "a_screen_for_everybody" {
  command = plan

  variables {
    gateway_environment = { VNC_SERVER_PASSWORD = "not a real one" }
  }

  expect_failures = [var.gateway_environment]
}

run "another_trading_mode_by_the_back_door" {
  command = plan

  variables {
    gateway_environment = { TRADING_MODE = "both" }
  }

  expect_failures = [var.gateway_environment]
}

run "a_window_that_is_no_cron_line" {
  command = plan

  variables {
    running_windows = { start = "8:00", stop = "17:30" }
  }

  expect_failures = [var.running_windows]
}
