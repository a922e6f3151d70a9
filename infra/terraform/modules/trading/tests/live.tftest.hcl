# What live makes otherwise than paper.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id            = "a-live-project"
  mode                  = "live"
  account               = "U1234567"
  live_trading_accepted = "U1234567"
  static_egress         = true
  commander_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/gateway@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  functions_image       = "us-east4-docker.pkg.dev/a-live-project/ib-trading/functions@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  gateway_image         = "us-east4-docker.pkg.dev/a-live-project/ghcr/gnzsnz/ib-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
  commander_instances   = 1
  billing_account       = "000000-000000-000000"
}

run "otherwise_than_paper" {
  command = apply

  # The pool

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : (
        { for env in one.env : env.name => env.value }["IB_PORT"] == "4001"
        && { for env in one.env : env.name => env.value }["MODE"] == "live"
        && { for env in one.env : env.name => env.value }["LIVE_TRADING_ACCEPTED"] == "U1234567"
      )
      if one.name != "ib-gateway"
    ])
    error_message = "Live must speak to port 4001, and name the account that was accepted."
  }

  assert {
    condition = alltrue([
      { for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name => env.value }["TRADING_MODE"] == "live",
      one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).startup_probe[0].tcp_socket[0].port == 4003,
    ])
    error_message = "The IB Gateway must log in to live."
  }

  assert {
    condition     = google_cloud_run_v2_worker_pool.trading[0].deletion_protection
    error_message = "The live pool must not go by mistake."
  }

  # The way out

  assert {
    condition = alltrue([
      google_cloud_run_v2_worker_pool.trading[0].template[0].vpc_access[0].egress == "ALL_TRAFFIC",
      google_compute_router_nat.egress[0].nat_ip_allocate_option == "MANUAL_ONLY",
      google_compute_router_nat.egress[0].nat_ips == toset([google_compute_address.egress[0].self_link]) || google_compute_router_nat.egress[0].nat_ips == tolist([google_compute_address.egress[0].self_link]),
    ])
    error_message = "All of live's traffic must leave from one address."
  }

  assert {
    condition = alltrue([
      google_compute_firewall.nothing_comes_in[0].direction == "INGRESS",
      google_compute_firewall.nothing_comes_in[0].priority == 0,
      google_compute_firewall.nothing_comes_in[0].deny != null,
      length(google_compute_firewall.nothing_comes_in[0].allow) == 0,
    ])
    error_message = "Nothing may come in through the network."
  }

  # The budget

  assert {
    condition = alltrue([
      google_billing_budget.monthly[0].amount[0].specified_amount[0].units == "150",
      [for one in google_billing_budget.monthly[0].threshold_rules : one.threshold_percent] == [0.5, 0.9, 1],
    ])
    error_message = "The budget must be told at 50, 90 and 100 %."
  }
}
