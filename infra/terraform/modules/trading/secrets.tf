# Secrets without a value: a person adds the versions, so none stands in Terraform's state.
#
#   read -rs SECRET && printf %s "$SECRET" | gcloud secrets versions add NAME --data-file=-; unset SECRET

locals {
  # Who reads which secret, and nobody else does.
  secret_readers = {
    ib-username       = "commander"
    ib-password       = "commander"
    alert-webhook-url = "alerts"
  }
}

resource "google_secret_manager_secret" "secrets" {
  for_each = local.secret_readers

  project   = var.project_id
  secret_id = each.key
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_iam_member" "readers" {
  for_each = local.secret_readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.secrets[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.accounts[each.value].member
}
