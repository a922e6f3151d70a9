# One address for all that leaves, where static_egress asks for it. Nothing comes in.

resource "google_compute_network" "egress" {
  count = var.static_egress ? 1 : 0

  project                 = var.project_id
  name                    = "ib-trading-${var.mode}"
  auto_create_subnetworks = false

  depends_on = [google_project_service.apis]
}

resource "google_compute_subnetwork" "egress" {
  count = var.static_egress ? 1 : 0

  project                  = var.project_id
  region                   = var.region
  name                     = "ib-trading-${var.mode}"
  network                  = google_compute_network.egress[0].id
  ip_cidr_range            = "10.80.0.0/26" # Cloud Run takes several addresses for an instance
  private_ip_google_access = true           # Google's services are not behind the NAT
}

resource "google_compute_firewall" "nothing_comes_in" {
  count = var.static_egress ? 1 : 0

  project       = var.project_id
  name          = "ib-trading-${var.mode}-nothing-comes-in"
  network       = google_compute_network.egress[0].id
  direction     = "INGRESS"
  priority      = 0
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_address" "egress" {
  count = var.static_egress ? 1 : 0

  project      = var.project_id
  region       = var.region
  name         = "ib-trading-${var.mode}"
  address_type = "EXTERNAL"
}

resource "google_compute_router" "egress" {
  count = var.static_egress ? 1 : 0

  project = var.project_id
  region  = var.region
  name    = "ib-trading-${var.mode}"
  network = google_compute_network.egress[0].id
}

resource "google_compute_router_nat" "egress" {
  count = var.static_egress ? 1 : 0

  project = var.project_id
  region  = var.region
  name    = "ib-trading-${var.mode}"
  router  = google_compute_router.egress[0].name

  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.egress[0].self_link]
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.egress[0].id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
