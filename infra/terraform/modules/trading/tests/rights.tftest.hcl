# Who may do what, as whole lists: a grant that is added anywhere fails here until it is named.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id          = "a-paper-project"
  mode                = "paper"
  account             = "DU1234567"
  commander_image     = "us-east4-docker.pkg.dev/a-paper-project/ib-trading/gateway@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  functions_image     = "us-east4-docker.pkg.dev/a-paper-project/ib-trading/functions@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  gateway_image       = "us-east4-docker.pkg.dev/a-paper-project/ghcr/gnzsnz/ib-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
  commander_instances = 1
  running_windows     = { start = "0 8 * * 1-5", stop = "30 17 * * 1-5" }
}

run "who_may_do_what" {
  command = apply

  # Who publishes

  assert {
    condition = {
      for one in google_pubsub_topic_iam_member.publishers : "${one.topic} ${one.member}" => one.role
      } == {
      for pair in [
        ["market", "commander"], ["reports", "commander"], ["dead-letters", "commander"],
        ["targets", "strategy"],
        ["reports", "watchdog"],
        ["commands", "deployer"],
      ] : "${google_pubsub_topic.topics["${pair[0]}-paper"].id} ${google_service_account.accounts[pair[1]].member}" => "roles/pubsub.publisher"
    }
    error_message = "Only a strategy publishes targets, only the commander markets; nobody here publishes commands but the pipeline's dry run."
  }

  # Who pulls

  assert {
    condition = alltrue([
      toset(keys(google_pubsub_subscription_iam_member.commander)) == toset(["gateway-commands-paper", "gateway-targets-paper"]),
      alltrue([for one in google_pubsub_subscription_iam_member.commander : one.role == "roles/pubsub.subscriber"]),
      alltrue([for one in google_pubsub_subscription_iam_member.commander : one.member == google_service_account.accounts["commander"].member]),
    ])
    error_message = "The commander pulls commands and targets, and nobody else does."
  }

  # Who reads secrets

  assert {
    condition = { for name, one in google_secret_manager_secret_iam_member.readers : name => one.member } == {
      ib-username       = google_service_account.accounts["commander"].member
      ib-password       = google_service_account.accounts["commander"].member
      alert-webhook-url = google_service_account.accounts["alerts"].member
    }
    error_message = "Only the commander's pool reads the login, only alerts the webhook."
  }

  assert {
    condition     = alltrue([for one in google_secret_manager_secret_iam_member.readers : one.role == "roles/secretmanager.secretAccessor"])
    error_message = "A reader of a secret reads it, and cannot change it."
  }

  # Who writes documents

  assert {
    condition = { for one in google_project_iam_member.documents : one.member => one.role } == {
      for name in ["commander", "alerts", "watchdog"] : google_service_account.accounts[name].member => "roles/datastore.user"
    }
    error_message = "Strategies have no access to Firestore, and who has it may not administer it."
  }

  assert {
    condition     = alltrue([for one in google_project_iam_member.documents : one.condition[0].expression == "resource.name == \"projects/a-paper-project/databases/(default)\""])
    error_message = "Documents of this database only."
  }

  # What the pipeline may

  assert {
    condition = toset([for one in google_project_iam_member.deployer : one.role]) == toset([
      "roles/viewer", "roles/iam.securityReviewer", "roles/run.developer", "roles/logging.logWriter", "roles/datastore.viewer",
    ])
    error_message = "The pipeline changes what runs; it grants nothing, reads no secret and writes no document."
  }

  assert {
    condition     = toset(keys(google_service_account_iam_member.deployer)) == toset(["commander", "strategy", "alerts", "watchdog"])
    error_message = "The pipeline acts as those whose images it deploys."
  }

  # What the windows may

  assert {
    condition = alltrue([
      google_cloud_run_v2_worker_pool_iam_member.windows[0].member == google_service_account.accounts["scheduler"].member,
      google_cloud_run_v2_worker_pool_iam_member.windows[0].role == google_project_iam_custom_role.scaler.id,
      google_cloud_run_v2_worker_pool_iam_member.windows[0].name == "ib-trading-paper",
      google_service_account_iam_member.windows[0].service_account_id == google_service_account.accounts["commander"].name,
    ])
    error_message = "The windows' account has its role on the one pool only."
  }
}
