# Cloud Scheduler: the messages of the topology, word for word; and, where windows are wanted, two
# jobs that set the commander's instances. Cron knows no holidays: the commands do.

resource "google_cloud_scheduler_job" "schedules" {
  for_each = { for one in local.topology.schedules : one.name => one }

  project   = var.project_id
  region    = var.region
  name      = each.value.name
  schedule  = each.value.cron
  time_zone = each.value.time_zone
  paused    = var.schedules_paused

  pubsub_target {
    topic_name = google_pubsub_topic.topics[each.value.topic].id
    data       = base64encode(each.value.message)
  }

  retry_config {
    retry_count          = 3 # of the publishing; a run that comes twice finds nothing left to do
    min_backoff_duration = "5s"
    max_backoff_duration = "60s"
  }
}

locals {
  windows = {
    for edge, cron in coalesce(var.running_windows, {}) : edge => {
      cron      = cron
      instances = edge == "start" ? 1 : 0
    }
    if local.has_code
  }
}

# The worker drains itself on SIGTERM; orders that work at IB stay there, and the next start finds them.
# Paused by no count: the pipeline sets that, and may change no schedule.
resource "google_cloud_scheduler_job" "windows" {
  for_each = local.windows

  project   = var.project_id
  region    = var.region
  name      = "window-${each.key}-${var.mode}"
  schedule  = each.value.cron
  time_zone = "America/New_York"
  paused    = var.schedules_paused

  http_target {
    http_method = "PATCH"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_worker_pool.trading[0].id}?updateMask=scaling.manualInstanceCount"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ scaling = { manualInstanceCount = each.value.instances } }))

    oauth_token {
      service_account_email = google_service_account.accounts["scheduler"].email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count          = 5
    min_backoff_duration = "10s"
    max_backoff_duration = "300s"
  }

  depends_on = [google_cloud_run_v2_worker_pool_iam_member.windows]
}
