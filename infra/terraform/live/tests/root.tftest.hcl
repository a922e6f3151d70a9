# The root is the module, of one mode.

mock_provider "google" {}

variables {
  project_id            = "a-live-project"
  account               = "U1234567"
  live_trading_accepted = "U1234567"
  static_egress         = true
  commander_instances   = 1
  commander_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/gateway@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  functions_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/functions@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  gateway_image         = "us-east4-docker.pkg.dev/a-live-project/ghcr/gnzsnz/ib-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
}

run "the_mode_is_the_roots" {
  command = apply

  assert {
    condition     = output.trading.worker_pool == "ib-trading-live"
    error_message = "The root live must make the pool of live."
  }

  assert {
    condition     = alltrue([for name in values(output.trading.topics) : endswith(name, "-live")])
    error_message = "The root live must make the topics of live."
  }
}
