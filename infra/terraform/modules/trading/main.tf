# One mode of the system in a project of its own. What exists on Pub/Sub, which functions there are
# and what is scheduled comes from infra/topology.py through the file below, and from nowhere else.

locals {
  topology = jsondecode(file("${path.module}/../../topology/${var.mode}.json"))

  # The IB Gateway's own API, and the port that its image forwards to it (which is open at once).
  ports = {
    paper = { api = 4002, forwarded = 4004 }
    live  = { api = 4001, forwarded = 4003 }
  }[var.mode]

  is_live  = var.mode == "live"
  has_code = var.commander_image != null # the images are there, so what runs can be made

  labels = {
    application = "ib-trading"
    mode        = var.mode
  }
}

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  # Google's own account that delivers messages and moves dead letters.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbilling.googleapis.com", # the grant on the billing account, and each plan that reads it
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
  ])

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false # others in the project may use them
}
