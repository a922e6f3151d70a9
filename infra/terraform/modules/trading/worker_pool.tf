# The one process that acts, the guard that watches it, and the IB Gateway beside them. They share a
# network namespace: the gateway has no password and trusts nobody but 127.0.0.1. Nothing listens to
# the outside; the ports below are for probes.

locals {
  livez_ports = { commander = 8080, guard = 8081 }

  commander_client_id = 1

  environment = merge(
    {
      GOOGLE_CLOUD_PROJECT = var.project_id
      IB_CLIENT_ID         = local.commander_client_id
      IB_DAILY_RESTART     = var.daily_restart
      IB_GUARD_CLIENT_ID   = 2
      IB_HOST              = "127.0.0.1"
      IB_PORT              = coalesce(var.ib_port, local.ports.api)
      MODE                 = var.mode
      OWNER                = "ib-trading-${var.mode}"
    },
    local.is_live ? { LIVE_TRADING_ACCEPTED = var.live_trading_accepted } : {},
  )

  gateway_environment = merge(
    {
      BYPASS_WARNING       = "yes"
      TWOFA_TIMEOUT_ACTION = "restart" # in its container: `exit` would end all three, and start them to ask again
      TWS_ACCEPT_INCOMING  = "reject"  # whoever is not on 127.0.0.1
    },
    var.gateway_environment,
    {
      AUTO_RESTART_TIME    = formatdate("HH:mm AA", "2000-01-01T${var.daily_restart}:00Z")
      READ_ONLY_API        = "no"
      TIME_ZONE            = "America/New_York"
      TRADING_MODE         = var.mode
      TWS_MASTER_CLIENT_ID = local.commander_client_id # so that it sees orders made by hand
      TWS_PASSWORD_FILE    = "/secrets/ib/password"

      # A replacement takes the session over, instead of ending itself again and again.
      EXISTING_SESSION_DETECTED_ACTION = "primaryoverride"
    },
  )
}

resource "google_cloud_run_v2_worker_pool" "trading" {
  count = local.has_code ? 1 : 0

  project             = var.project_id
  location            = var.region
  name                = "ib-trading-${var.mode}"
  labels              = local.labels
  deletion_protection = local.is_live

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.commander_instances
  }

  template {
    service_account = google_service_account.accounts["commander"].email

    # Not for the IB Gateway's login: that waits for a person's phone, and no probe may end it. And
    # whatever ends is started again by its keeper: the end of one container may restart them all.
    dynamic "containers" {
      for_each = {
        commander = ["-m", "gateway.keeper", "gateway"]
        guard     = ["-m", "gateway.keeper", "gateway.guard"]
      }

      content {
        name       = containers.key
        image      = var.commander_image
        args       = containers.value
        depends_on = ["ib-gateway"]

        dynamic "env" {
          for_each = merge(local.environment, { LIVEZ_PORT = local.livez_ports[containers.key] })

          content {
            name  = env.key
            value = env.value
          }
        }

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        liveness_probe {
          initial_delay_seconds = 60
          period_seconds        = 30
          timeout_seconds       = 5
          failure_threshold     = 4

          http_get {
            path = "/livez"
            port = local.livez_ports[containers.key]
          }
        }
      }
    }

    containers {
      name  = "ib-gateway"
      image = var.gateway_image

      dynamic "env" {
        for_each = local.gateway_environment

        content {
          name  = env.key
          value = env.value
        }
      }

      env {
        name = "TWS_USERID" # the image takes it from nowhere else

        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.secrets["ib-username"].secret_id
            version = "latest" # as of the start of an instance
          }
        }
      }

      volume_mounts {
        name       = "ib"
        mount_path = "/secrets/ib"
      }

      resources {
        limits = { cpu = "1", memory = "2Gi" } # 768 MB of heap, a display, and its logs
      }

      # The forwarder's port says that the container lives. The API's own opens after the login,
      # and the 240 s that Cloud Run gives for a start are too short for a person.
      startup_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 24

        tcp_socket {
          port = local.ports.forwarded
        }
      }
    }

    volumes {
      name = "ib"

      secret {
        secret = google_secret_manager_secret.secrets["ib-password"].secret_id

        items {
          path    = "password"
          version = "latest"
        }
      }
    }

    dynamic "vpc_access" {
      for_each = google_compute_subnetwork.egress

      content {
        egress = "ALL_TRAFFIC"

        network_interfaces {
          network    = google_compute_network.egress[0].id
          subnetwork = vpc_access.value.id
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.readers]

  lifecycle {
    ignore_changes = [client, client_version] # who touched it last, such as gcloud for the count

    precondition {
      condition     = !local.is_live || length(google_compute_router_nat.egress) == 1
      error_message = "Live needs static egress: without the NAT each restart has another address."
    }

    precondition {
      condition     = local.topology.mode == var.mode
      error_message = "The topology is of another mode: run python -m infra.topology_json."
    }
  }
}
