# The functions: one Cloud Run service for each entry point of the topology, all of one image.
# Strategies are pure: they read no document and no secret, and publish targets only.

locals {
  entry_points = local.has_code ? { for one in local.pushed : one.entry_point => one } : {}

  watchers = ["alerts", "watchdog"]

  functions = {
    for name, one in local.entry_points : name => {
      service         = contains(local.watchers, name) ? "${name}-${var.mode}" : "strategy-${replace(name, "_", "-")}-${var.mode}"
      account         = contains(local.watchers, name) ? name : "strategy"
      timeout_seconds = one.ack_deadline_seconds # later Pub/Sub delivers it again anyway
      memory          = contains(local.watchers, name) ? "512Mi" : "1Gi"
      concurrency     = name == "alerts" ? 10 : 1 # reports come in bursts, markets one by one
      environment = name != "alerts" ? {} : {
        ALERT_WEBHOOK_SEVERITY_MIN = var.alert_webhook_severity_min
      }
      secrets = name == "alerts" && var.alert_webhook ? { ALERT_WEBHOOK_URL = "alert-webhook-url" } : {}
    }
  }
}

resource "google_cloud_run_v2_service" "functions" {
  for_each = local.functions

  project  = var.project_id
  location = var.region
  name     = each.value.service
  labels   = local.labels

  ingress              = "INGRESS_TRAFFIC_INTERNAL_ONLY" # Pub/Sub of the project counts as internal
  invoker_iam_disabled = false
  deletion_protection  = false # it holds nothing

  template {
    service_account                  = google_service_account.accounts[each.value.account].email
    timeout                          = "${each.value.timeout_seconds}s"
    max_instance_request_concurrency = each.value.concurrency

    scaling {
      min_instance_count = 0
      max_instance_count = 2
    }

    containers {
      image = var.functions_image

      dynamic "env" {
        for_each = merge(each.value.environment, {
          FUNCTION_TARGET      = each.key
          GOOGLE_CLOUD_PROJECT = var.project_id
          MODE                 = var.mode
        })

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = each.value.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.secrets[env.value].secret_id
              version = "latest" # as of the start of an instance
            }
          }
        }
      }

      resources {
        limits            = { cpu = "1", memory = each.value.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.readers]
}
