output "worker_pool" {
  description = "The pool with the commander, the guard and the IB Gateway; null until there are images."
  value       = one(google_cloud_run_v2_worker_pool.trading[*].name)
}

output "services" {
  description = "Entry point -> Cloud Run service."
  value       = { for name, one in google_cloud_run_v2_service.functions : name => one.name }
}

output "topics" {
  description = "Topic without its mode -> its name."
  value       = { for name, one in google_pubsub_topic.topics : trimsuffix(name, "-${var.mode}") => one.name }
}

output "images" {
  description = "Where our images are pushed: append NAME@sha256:..."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "gateway_images" {
  description = "What stands for ghcr.io in the name of the IB Gateway's image."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.ghcr.repository_id}"
}

output "accounts" {
  description = "Kind of job -> service account."
  value       = { for name, one in google_service_account.accounts : name => one.email }
}

output "egress_address" {
  description = "The address that IB sees; null without static egress."
  value       = one(google_compute_address.egress[*].address)
}

output "next_steps" {
  description = "Commands for this project, in the order in which a new one needs them."
  value = {
    secrets = {
      for name in keys(local.secret_readers) :
      name => "read -rs SECRET && printf %s \"$SECRET\" | gcloud secrets versions add ${name} --project=${var.project_id} --data-file=-; unset SECRET"
    }
    documents = "python -m infra.config init --mode ${var.mode} --project ${var.project_id}"
    start     = "gcloud run worker-pools update ib-trading-${var.mode} --project=${var.project_id} --region=${var.region} --instances=1"
    stop      = "gcloud run worker-pools update ib-trading-${var.mode} --project=${var.project_id} --region=${var.region} --instances=0"
    resume    = "gcloud pubsub topics publish commands-${var.mode} --project=${var.project_id} --message='{\"command\": \"resume\"}'"
    halt      = "gcloud pubsub topics publish commands-${var.mode} --project=${var.project_id} --message='{\"command\": \"halt\"}'"
    reports   = "gcloud pubsub subscriptions pull reports-reader-${var.mode} --project=${var.project_id} --auto-ack --limit=10"
  }
}
