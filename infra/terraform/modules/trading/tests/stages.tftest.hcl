# A project on its way: before there are images, and while somebody has stopped the commander.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id          = "a-paper-project"
  mode                = "paper"
  account             = "DU1234567"
  commander_image     = "us-east4-docker.pkg.dev/a-paper-project/ib-trading/gateway@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  functions_image     = "us-east4-docker.pkg.dev/a-paper-project/ib-trading/functions@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  gateway_image       = "us-east4-docker.pkg.dev/a-paper-project/ghcr/gnzsnz/ib-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
  commander_instances = 1
  alert_email         = "somebody"
  alert_webhook       = true
  running_windows     = { start = "0 8 * * 1-5", stop = "30 17 * * 1-5" }
}

run "the_count_changes_nothing_but_the_pool" {
  command = apply

  variables {
    commander_instances = 0
  }

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.windows : !one.paused])
    error_message = "The pipeline sets the count to 1 and may change no schedule: after a person's apply with 0 no deploy would get past its plan."
  }
}

run "paused_schedules_pause_the_windows" {
  command = apply

  variables {
    commander_instances = 0
    schedules_paused    = true
  }

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.windows : one.paused])
    error_message = "Who stops it for long must not find it started by the clock."
  }
}

run "before_there_are_images" {
  command = apply

  variables {
    commander_instances = 0
    commander_image     = null
    functions_image     = null
    gateway_image       = null
  }

  assert {
    condition = alltrue([
      length(google_cloud_run_v2_worker_pool.trading) == 0,
      length(google_cloud_run_v2_service.functions) == 0,
      length(google_cloud_scheduler_job.windows) == 0,
      google_logging_metric.starts.name == "ib-trading-paper-starts",
      length(google_monitoring_alert_policy.restart_loop) == 0,
      length(google_secret_manager_secret.secrets) == 3,
      length(google_pubsub_subscription.subscriptions) == length(local.pulled),
    ])
    error_message = "A first apply makes the registry, the secrets and the database, and nothing that runs."
  }
}
