# Live trading: real money, in a project of its own.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  backend "gcs" {} # the bucket and the prefix come with `terraform init -backend-config=...`
}

provider "google" {
  project = var.project_id
  region  = var.region
}

module "trading" {
  source = "../modules/trading"

  mode = "live"

  project_id                 = var.project_id
  region                     = var.region
  state_bucket               = var.state_bucket
  account                    = var.account
  live_trading_accepted      = var.live_trading_accepted
  ib_port                    = var.ib_port
  commander_image            = var.commander_image
  functions_image            = var.functions_image
  gateway_image              = var.gateway_image
  gateway_environment        = var.gateway_environment
  commander_instances        = var.commander_instances
  daily_restart              = var.daily_restart
  static_egress              = var.static_egress
  running_windows            = var.running_windows
  schedules_paused           = var.schedules_paused
  alert_email                = var.alert_email
  notification_channels      = var.notification_channels
  alert_webhook              = var.alert_webhook
  alert_webhook_severity_min = var.alert_webhook_severity_min
  billing_account            = var.billing_account
  monthly_budget             = var.monthly_budget
}
