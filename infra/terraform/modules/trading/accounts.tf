# One account for each kind of job, and everything that each may do. What is not here, it may not.

locals {
  accounts = {
    commander = "Trades: the commander, the guard and the IB Gateway of one pool"
    strategy  = "Decides: all strategies, whose rights are the same; publishes targets only"
    alerts    = "Tells people"
    watchdog  = "Looks for silence"
    push      = "Pub/Sub calls the functions as this one"
    scheduler = "Starts and stops the commander by the clock"
    deployer  = "Cloud Build: new images of what exists; no secrets, no grants"
  }

  # What each account publishes, by the topics' names without the mode.
  publishers = {
    commander = ["market", "reports", "dead-letters"]
    strategy  = ["targets"]
    watchdog  = ["reports"]
    deployer  = ["commands"] # the smoke test's dry run
  }

  # Firestore knows no rights by collection: who writes one document may write all.
  writers = ["commander", "alerts", "watchdog"]
}

resource "google_service_account" "accounts" {
  for_each = local.accounts

  project      = var.project_id
  account_id   = "${each.key}-${var.mode}"
  display_name = "ib-trading ${var.mode}: ${each.key}"
  description  = each.value

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = merge([
    for account, topics in local.publishers : {
      for topic in topics : "${account}-${topic}" => { account = account, topic = "${topic}-${var.mode}" }
    }
  ]...)

  project = var.project_id
  topic   = google_pubsub_topic.topics[each.value.topic].id
  role    = "roles/pubsub.publisher"
  member  = google_service_account.accounts[each.value.account].member
}

# The commander pulls what the topology says is pulled by it: not the readers' subscriptions.
resource "google_pubsub_subscription_iam_member" "commander" {
  for_each = { for name, one in local.pulled : name => one if startswith(name, "gateway-") }

  project      = var.project_id
  subscription = google_pubsub_subscription.subscriptions[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.accounts["commander"].member
}

resource "google_project_iam_member" "documents" {
  for_each = toset(local.writers)

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.accounts[each.value].member

  condition {
    title      = "this database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.database.name}\""
  }
}

# Pub/Sub calls the functions as `push`, which alone may; its agent signs that account's tokens.
resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = google_cloud_run_v2_service.functions

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.accounts["push"].member
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.accounts["push"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_pubsub_subscription.subscriptions] # the agent comes with the first of them
}

# The windows: read and update this one pool. Cloud Run has no narrower right for its count, and
# wants whoever changes a pool to be allowed to act as its account.
resource "google_project_iam_custom_role" "scaler" {
  project     = var.project_id
  role_id     = "ibTradingScaler"
  title       = "ib-trading: sets the instances of the worker pool"
  permissions = ["run.workerpools.get", "run.workerpools.update"]

  depends_on = [google_project_service.apis]
}

resource "google_cloud_run_v2_worker_pool_iam_member" "windows" {
  count = length(local.windows) > 0 ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_worker_pool.trading[0].name
  role     = google_project_iam_custom_role.scaler.id
  member   = google_service_account.accounts["scheduler"].member
}

resource "google_service_account_iam_member" "windows" {
  count = length(local.windows) > 0 ? 1 : 0

  service_account_id = google_service_account.accounts["commander"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.accounts["scheduler"].member
}

# The pipeline plans everything and may change images and counts. New topics, accounts and grants
# are a person's to apply: a pipeline that could grant could do anything.
resource "google_project_iam_member" "deployer" {
  for_each = toset([
    "roles/viewer",               # a plan reads everything; no secret has its value in there
    "roles/iam.securityReviewer", # and all grants
    "roles/run.developer",
    "roles/logging.logWriter",
    "roles/datastore.viewer", # the lease: whether the old commander has let go
  ])

  project = var.project_id
  role    = each.value
  member  = google_service_account.accounts["deployer"].member
}

resource "google_artifact_registry_repository_iam_member" "deployer" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.accounts["deployer"].member
}

resource "google_service_account_iam_member" "deployer" {
  for_each = toset(["commander", "strategy", "alerts", "watchdog"])

  service_account_id = google_service_account.accounts[each.value].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.accounts["deployer"].member
}

resource "google_storage_bucket_iam_member" "deployer" {
  count = var.state_bucket == null ? 0 : 1

  bucket = var.state_bucket
  role   = "roles/storage.objectAdmin"
  member = google_service_account.accounts["deployer"].member
}
