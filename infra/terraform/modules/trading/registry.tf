# Images: ours, and a mirror through which Cloud Run may pull the IB Gateway's from ghcr.io.

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = "ib-trading"
  format        = "DOCKER"
  description   = "Our images: gateway, functions, simulator"
  labels        = local.labels

  # Not with immutable tags: those keep the images that they name from being cleaned up. What is
  # deployed is named by its digest anyway.
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "${90 * 24 * 60 * 60}s"
    }
  }

  cleanup_policies {
    id     = "keep-for-rollback"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_artifact_registry_repository" "ghcr" {
  project       = var.project_id
  location      = var.region
  repository_id = "ghcr"
  format        = "DOCKER"
  mode          = "REMOTE_REPOSITORY"
  description   = "The IB Gateway's image, from ghcr.io"
  labels        = local.labels

  remote_repository_config {
    docker_repository {
      custom_repository {
        uri = "https://ghcr.io"
      }
    }
  }

  depends_on = [google_project_service.apis]
}
