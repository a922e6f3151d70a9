# What it may cost; Google tells, and stops nothing.

resource "google_billing_budget" "monthly" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "ib-trading ${var.mode}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.monthly_budget)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  all_updates_rule {
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels))) # no more are taken
    enable_project_level_recipients  = true
  }

  depends_on = [google_project_service.apis]
}

# A plan reads the budget, which is the billing account's and not the project's.
resource "google_billing_account_iam_member" "deployer" {
  count = var.billing_account == null ? 0 : 1

  billing_account_id = var.billing_account
  role               = "roles/billing.viewer"
  member             = google_service_account.accounts["deployer"].member

  depends_on = [google_project_service.apis]
}
