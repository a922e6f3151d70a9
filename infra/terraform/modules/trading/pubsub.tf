# Topics and subscriptions: plain at-least-once, no ordering keys; the content makes a repetition harmless.

locals {
  subscriptions = { for one in local.topology.subscriptions : one.name => one }

  # The others are pushed to functions, which there are once there is an image.
  pulled = { for name, one in local.subscriptions : name => one if one.entry_point == null }
  pushed = { for name, one in local.subscriptions : name => one if one.entry_point != null && local.has_code }
}

resource "google_pubsub_topic" "topics" {
  for_each = toset(local.topology.topics)

  project = var.project_id
  name    = each.value
  labels  = local.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_subscription" "subscriptions" {
  for_each = merge(local.pulled, local.pushed)

  project = var.project_id
  name    = each.value.name
  topic   = google_pubsub_topic.topics[each.value.topic].id
  labels  = local.labels

  ack_deadline_seconds       = each.value.ack_deadline_seconds
  message_retention_duration = "${each.value.retention_days * 24 * 60 * 60}s"
  filter                     = join(" AND ", [for name, value in each.value.filter : "attributes.${name} = \"${value}\""])

  expiration_policy {
    ttl = "" # never: a gateway that was away for a month still gets its messages
  }

  retry_policy {
    minimum_backoff = "${each.value.retry_delay_seconds_min}s"
    maximum_backoff = "${each.value.retry_delay_seconds_max}s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.dead_letter_topic == null ? [] : [each.value.dead_letter_topic]

    content {
      dead_letter_topic     = google_pubsub_topic.topics[dead_letter_policy.value].id
      max_delivery_attempts = each.value.delivery_attempts_max
    }
  }

  dynamic "push_config" {
    for_each = each.value.entry_point == null ? [] : [each.value.entry_point]

    content {
      push_endpoint = "${google_cloud_run_v2_service.functions[push_config.value].uri}/"

      oidc_token {
        service_account_email = google_service_account.accounts["push"].email
        audience              = google_cloud_run_v2_service.functions[push_config.value].uri
      }
    }
  }
}

# Without both of these grants Pub/Sub silently moves no dead letter.

locals {
  dead_letter_topics   = toset([for one in local.subscriptions : one.dead_letter_topic if one.dead_letter_topic != null])
  dead_letter_sources  = { for name, one in merge(local.pulled, local.pushed) : name => one if one.dead_letter_topic != null }
  dead_letter_readings = [for name, one in local.subscriptions : name if contains(local.dead_letter_topics, one.topic)]
}

resource "google_pubsub_topic_iam_member" "dead_letters_written" {
  for_each = local.dead_letter_topics

  project = var.project_id
  topic   = google_pubsub_topic.topics[each.value].id
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent

  depends_on = [google_pubsub_subscription.subscriptions] # the agent comes with the first of them
}

resource "google_pubsub_subscription_iam_member" "dead_letters_taken" {
  for_each = local.dead_letter_sources

  project      = var.project_id
  subscription = google_pubsub_subscription.subscriptions[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
