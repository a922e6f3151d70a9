# Who is told, and of what. The alerts are log entries of the function `alerts` by the table in
# schemas/alerts.py; the rest needs no code of ours, for the day on which `alerts` itself fails.

resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = var.project_id
  display_name = "ib-trading ${var.mode}"
  type         = "email"
  labels       = { email_address = var.alert_email }

  depends_on = [google_project_service.apis]
}

locals {
  channels = concat(google_monitoring_notification_channel.email[*].id, var.notification_channels)

  functions_log = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"alerts-${var.mode}\""
  pool_log      = "resource.type=\"cloud_run_worker_pool\" AND resource.labels.worker_pool_name=\"ib-trading-${var.mode}\""

  # What is kept back as a repetition has severity DEBUG, so each of these rings once.
  logged = {
    call_somebody = {
      says     = "An alert of severity CRITICAL"
      severity = "CRITICAL"
      filter   = "${local.functions_log} AND jsonPayload.event=\"alert\" AND severity>=CRITICAL"
    }
    write_to_somebody = {
      says     = "An alert of severity ERROR"
      severity = "ERROR"
      filter   = "${local.functions_log} AND jsonPayload.event=\"alert\" AND severity=ERROR"
    }
    waits_for_a_person = {
      says     = "An alert that stays as it is until somebody acts"
      severity = "WARNING"
      filter   = "${local.functions_log} AND jsonPayload.event=\"alert\" AND jsonPayload.needs_person=true AND severity=WARNING"
    }
    webhook_wrong = {
      says     = "The webhook refused an alert"
      severity = "ERROR"
      filter   = "${local.functions_log} AND jsonPayload.event=\"webhook\""
    }
  }

  # Whatever somebody has to take; the readers' subscriptions wait for people.
  awaited = [for name, one in local.subscriptions : name if one.dead_letter_topic != null]
}

resource "google_monitoring_alert_policy" "logged" {
  for_each = local.logged

  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: ${each.value.says}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.says

    condition_matched_log {
      filter = each.value.filter

      label_extractors = {
        alert   = "EXTRACT(jsonPayload.alert)"
        message = "EXTRACT(jsonPayload.message)"
      }
    }
  }

  alert_strategy {
    auto_close = "1800s"

    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    content   = "docs/how-to/alerts.md says what each alert means, docs/how-to/a-bad-day.md what to do."
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.apis]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: a dead letter waits"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A message that could not be used waits for somebody to look at it"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(", ", [for name in local.dead_letter_readings : "\"${name}\""])})"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_monitoring_alert_policy" "unacknowledged" {
  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: a message is not taken"
  combiner              = "OR"
  severity              = "ERROR"
  enabled               = !var.schedules_paused
  notification_channels = local.channels

  conditions {
    display_name = "The oldest message of a subscription waits for more than ten minutes"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(", ", [for name in local.awaited : "\"${name}\""])})"
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  depends_on = [google_project_service.apis]
}

# The heartbeat is the lease, which the watchdog reads every five minutes and tells as gateway_silent.
# Who watches the watchdog is this policy.
resource "google_monitoring_alert_policy" "watchdog_silent" {
  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: the watchdog is silent"
  combiner              = "OR"
  severity              = "CRITICAL"
  enabled               = local.has_code && !var.schedules_paused
  notification_channels = local.channels

  conditions {
    display_name = "Nobody has asked the watchdog for 15 minutes"

    condition_absent {
      filter   = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"watchdog-${var.mode}\" AND metric.labels.response_code_class=\"2xx\""
      duration = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_logging_metric" "starts" {
  project     = var.project_id
  name        = "ib-trading-${var.mode}-starts"
  description = "Starts of the commander and of the guard"
  filter      = "${local.pool_log} AND textPayload=~\"(gateway|guard) starts: \""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.apis]
}

# Not at once with its metric: Google knows a new one only after some minutes, and refuses until then.
resource "google_monitoring_alert_policy" "restart_loop" {
  count = local.has_code ? 1 : 0

  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: restarts again and again"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "More than three starts of both in 15 minutes"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.starts.name}\" AND resource.type=\"cloud_run_worker_pool\""
      comparison      = "COMPARISON_GT"
      threshold_value = 6
      duration        = "0s"

      aggregations {
        alignment_period     = "900s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = "The processes end and are started again beside the IB Gateway; where the whole instance restarts, each time asks for a login: the log tells. To stop it: gcloud run worker-pools update ib-trading-${var.mode} --instances=0 (and schedules_paused, where running_windows start it again)."
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "memory" {
  project               = var.project_id
  display_name          = "ib-trading ${var.mode}: memory runs out"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "A container of the pool uses more than 85 % of its memory"

    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND resource.type=\"cloud_run_worker_pool\" AND resource.labels.worker_pool_name=\"ib-trading-${var.mode}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0.85
      duration        = "600s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_PERCENTILE_99"
      }
    }
  }

  depends_on = [google_project_service.apis]
}
