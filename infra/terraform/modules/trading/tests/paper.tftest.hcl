# What paper makes, as a whole: applied to nothing, with a provider that only knows the schema.

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

run "as_a_whole" {
  command = apply

  # The pool

  assert {
    condition = alltrue([
      google_cloud_run_v2_worker_pool.trading[0].name == "ib-trading-paper",
      google_cloud_run_v2_worker_pool.trading[0].scaling[0].scaling_mode == "MANUAL",
      google_cloud_run_v2_worker_pool.trading[0].scaling[0].manual_instance_count == 1,
      google_cloud_run_v2_worker_pool.trading[0].scaling[0].max_instance_count == null,
    ])
    error_message = "The pool must have exactly one instance, set by hand: two gateways take each other's login."
  }

  assert {
    condition     = [for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one.name] == ["commander", "guard", "ib-gateway"]
    error_message = "The pool must hold the commander, the guard and the IB Gateway."
  }

  assert {
    condition = { for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one.name => one.args if one.name != "ib-gateway" } == {
      commander = tolist(["-m", "gateway.keeper", "gateway"])
      guard     = tolist(["-m", "gateway.keeper", "gateway.guard"])
    }
    error_message = "A process that ends must be started again in its container: an end of the container restarts the IB Gateway, which logs in anew."
  }

  assert {
    condition     = length(google_monitoring_alert_policy.restart_loop) == 1
    error_message = "Processes that start again and again must be told."
  }

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers :
      { for env in one.env : env.name => env.value }["IB_PORT"] == "4002"
      if one.name != "ib-gateway"
    ])
    error_message = "Paper must speak to port 4002."
  }

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers :
      { for env in one.env : env.name => env.value }["IB_HOST"] == "127.0.0.1"
      if one.name != "ib-gateway"
    ])
    error_message = "The API has no password: it must be reached over 127.0.0.1 only."
  }

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers :
      !contains([for env in one.env : env.name], "LIVE_TRADING_ACCEPTED")
    ])
    error_message = "Paper must accept no live trading."
  }

  assert {
    condition = alltrue([
      { for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name => env.value }["TRADING_MODE"] == "paper",
      { for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name => env.value }["TWS_MASTER_CLIENT_ID"] == tostring(local.environment["IB_CLIENT_ID"]),
      { for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name => env.value }["EXISTING_SESSION_DETECTED_ACTION"] == "primaryoverride",
      { for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name => env.value }["AUTO_RESTART_TIME"] == "11:45 PM",
      !contains([for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name], "VNC_SERVER_PASSWORD"),
      !contains([for env in one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).env : env.name], "TWS_PASSWORD"),
    ])
    error_message = "The IB Gateway must log in to paper, take over its session, show no screen, and have the commander as its master client."
  }

  assert {
    condition = alltrue([
      one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).startup_probe[0].tcp_socket[0].port == 4004,
      length(one([for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one if one.name == "ib-gateway"]).liveness_probe) == 0,
      alltrue([
        for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : alltrue([
          for probe in one.startup_probe : probe.failure_threshold * probe.period_seconds <= 240
        ])
      ]),
    ])
    error_message = "No probe may depend on the login: a person's phone is slower than any, and each restart asks it again."
  }

  assert {
    condition     = length(google_cloud_run_v2_worker_pool.trading[0].template[0].vpc_access) == 0
    error_message = "Paper without static egress needs no network of its own."
  }

  assert {
    condition = alltrue([
      for image in concat(
        [for one in google_cloud_run_v2_worker_pool.trading[0].template[0].containers : one.image],
        [for one in google_cloud_run_v2_service.functions : one.template[0].containers[0].image],
      ) : can(regex("@sha256:[0-9a-f]{64}$", image))
    ])
    error_message = "Every image must be named by its digest."
  }

  # Messages

  assert {
    condition     = toset(keys(google_pubsub_topic.topics)) == toset(local.topology.topics)
    error_message = "The topics must be those of the topology."
  }

  assert {
    condition     = toset(keys(google_pubsub_subscription.subscriptions)) == toset([for one in local.topology.subscriptions : one.name])
    error_message = "The subscriptions must be those of the topology."
  }

  assert {
    condition = alltrue([
      for one in google_pubsub_subscription.subscriptions :
      one.expiration_policy[0].ttl == "" && one.enable_exactly_once_delivery != true && one.enable_message_ordering != true
    ])
    error_message = "Subscriptions never expire, and are plain at-least-once."
  }

  assert {
    condition     = google_pubsub_subscription.subscriptions["market-mes_trend-paper"].filter == "attributes.strategy = \"mes_trend\""
    error_message = "A strategy must get its own market only."
  }

  assert {
    condition = alltrue([
      for name in keys(local.dead_letter_sources) : (
        try(google_pubsub_subscription_iam_member.dead_letters_taken[name].role, "") == "roles/pubsub.subscriber"
        && try(google_pubsub_subscription_iam_member.dead_letters_taken[name].member, "") == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
        && length(google_pubsub_subscription.subscriptions[name].dead_letter_policy) == 1
      )
    ])
    error_message = "Pub/Sub's agent must be subscriber of each subscription with dead letters, or it moves none."
  }

  assert {
    condition = alltrue([
      length(google_pubsub_topic_iam_member.dead_letters_written) == 1,
      try(google_pubsub_topic_iam_member.dead_letters_written["dead-letters-paper"].role, "") == "roles/pubsub.publisher",
      try(google_pubsub_topic_iam_member.dead_letters_written["dead-letters-paper"].member, "") == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
      length(local.dead_letter_readings) == 1,
    ])
    error_message = "Pub/Sub's agent must be publisher of the dead letters, and somebody must be able to read them."
  }

  assert {
    condition = alltrue([
      for one in local.topology.schedules : (
        base64decode(google_cloud_scheduler_job.schedules[one.name].pubsub_target[0].data) == one.message
        && google_cloud_scheduler_job.schedules[one.name].schedule == one.cron
        && google_cloud_scheduler_job.schedules[one.name].time_zone == "America/New_York"
        && !google_cloud_scheduler_job.schedules[one.name].paused
      )
    ])
    error_message = "The schedules must publish the topology's messages, word for word, at New York's times."
  }

  # Functions

  assert {
    condition = toset(keys(google_cloud_run_v2_service.functions)) == toset([
      for one in local.topology.subscriptions : one.entry_point if one.entry_point != null
    ])
    error_message = "There must be one service for each entry point of the topology, and no other."
  }

  assert {
    condition = alltrue([
      for name, one in google_cloud_run_v2_service.functions :
      { for env in one.template[0].containers[0].env : env.name => env.value }["FUNCTION_TARGET"] == name
    ])
    error_message = "Each service must be its entry point."
  }

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_service.functions :
      one.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && !one.invoker_iam_disabled
    ])
    error_message = "No function may be reached from outside, or without a token."
  }

  assert {
    condition = alltrue([
      for one in google_cloud_run_v2_service_iam_member.push :
      one.role == "roles/run.invoker" && one.member == google_service_account.accounts["push"].member
    ])
    error_message = "Only Pub/Sub's push account may call a function."
  }

  assert {
    condition = alltrue([
      for name, one in google_pubsub_subscription.subscriptions : (
        one.push_config[0].oidc_token[0].service_account_email == google_service_account.accounts["push"].email
        && one.push_config[0].push_endpoint == "${google_cloud_run_v2_service.functions[local.subscriptions[name].entry_point].uri}/"
        && one.ack_deadline_seconds >= local.functions[local.subscriptions[name].entry_point].timeout_seconds
      )
      if local.subscriptions[name].entry_point != null
    ])
    error_message = "A push must carry the push account's token, go to its own function, and wait for as long as the function may take."
  }

  assert {
    condition = alltrue([
      for name, one in google_cloud_run_v2_service.functions : (
        one.template[0].service_account == google_service_account.accounts["strategy"].email
        && alltrue([for env in one.template[0].containers[0].env : length(env.value_source) == 0])
      )
      if !contains(["alerts", "watchdog"], name)
    ])
    error_message = "A strategy has the account of strategies, and no secret."
  }

  # What is kept

  assert {
    condition = alltrue([
      google_firestore_database.database.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED",
      google_firestore_database.database.delete_protection_state == "DELETE_PROTECTION_ENABLED",
      google_firestore_database.database.deletion_policy == "ABANDON",
      length(google_firestore_backup_schedule.daily.daily_recurrence) == 1,
      length(google_firestore_backup_schedule.weekly.weekly_recurrence) == 1,
    ])
    error_message = "The database must outlive mistakes: recovery to a point in time, backups, no deletion."
  }

  assert {
    condition = alltrue([
      google_firestore_field.expiring["activity"].ttl_config[0].expiration_offset == "7776000s",
      google_firestore_field.expiring["alerts"].ttl_config[0].expiration_offset == null,
      !contains(keys(google_firestore_field.expiring), "runs"),
    ])
    error_message = "The event log goes after 90 days, what was told by its own date, and no run ever."
  }

  # Windows

  assert {
    condition = alltrue([
      jsondecode(base64decode(google_cloud_scheduler_job.windows["start"].http_target[0].body)).scaling.manualInstanceCount == 1,
      jsondecode(base64decode(google_cloud_scheduler_job.windows["stop"].http_target[0].body)).scaling.manualInstanceCount == 0,
      alltrue([
        for one in google_cloud_scheduler_job.windows : (
          one.http_target[0].oauth_token[0].service_account_email == google_service_account.accounts["scheduler"].email
          && endswith(one.http_target[0].uri, "?updateMask=scaling.manualInstanceCount")
          && one.time_zone == "America/New_York"
        )
      ]),
    ])
    error_message = "The windows must set the count and nothing else, as the account that may do this and nothing else."
  }

  assert {
    condition     = sort(google_project_iam_custom_role.scaler.permissions) == tolist(["run.workerpools.get", "run.workerpools.update"])
    error_message = "The windows' account may read and update the pool, and nothing else."
  }
}
