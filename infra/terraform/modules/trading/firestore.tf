# The database of what was decided, done and held. `destroy` leaves it where it is.

resource "google_firestore_database" "database" {
  project     = var.project_id
  name        = "(default)"
  location_id = var.region
  type        = "FIRESTORE_NATIVE"

  concurrency_mode                  = "PESSIMISTIC" # a transaction waits, rather than fail, for the lease
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"

  depends_on = [google_project_service.apis]
}

resource "google_firestore_backup_schedule" "daily" {
  project   = var.project_id
  database  = google_firestore_database.database.name
  retention = "${7 * 24 * 60 * 60}s"

  daily_recurrence {}
}

resource "google_firestore_backup_schedule" "weekly" {
  project   = var.project_id
  database  = google_firestore_database.database.name
  retention = "${14 * 7 * 24 * 60 * 60}s" # the longest there is

  weekly_recurrence {
    day = "SUNDAY"
  }
}

# What Firestore deletes by itself, by the timestamps that the code writes. Backups hold no such
# policies, so they have to stand here. Nothing asks by these fields: no index, no hot spot.

locals {
  expiring = {
    activity = { field = "at", days_after = 90 }        # the event log; runs and orders are kept
    alerts   = { field = "expires_at", days_after = 0 } # what was told when, 30 days ahead
  }

  # Never asked by a field, and long: bars in columns, ledgers with all their entries. An index entry
  # for each number of them costs writes, and there may be no more than 40,000 in a document.
  unindexed = ["bars", "holdings"]
}

resource "google_firestore_field" "expiring" {
  for_each = local.expiring

  project    = var.project_id
  database   = google_firestore_database.database.name
  collection = each.key
  field      = each.value.field

  ttl_config {
    expiration_offset = each.value.days_after == 0 ? null : "${each.value.days_after * 24 * 60 * 60}s"
  }

  index_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each = toset(local.unindexed)

  project    = var.project_id
  database   = google_firestore_database.database.name
  collection = each.value
  field      = "*"

  index_config {}
}

# No composite index: each of the code's queries has one field (gateway.ports.QueryStore).
