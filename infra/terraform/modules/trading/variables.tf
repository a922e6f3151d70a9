# Where

variable "project_id" {
  description = "The Google Cloud project. Paper and live each have one of their own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the id of a project (6 to 30 of a-z, 0-9 and -), not its name or number."
  }
}

variable "region" {
  description = "Of everything: us-east4 is near IB's servers for the Americas."
  type        = string
  default     = "us-east4"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one of Google's regions, such as us-east4."
  }
}

variable "state_bucket" {
  description = "The bucket with Terraform's state, for the pipeline to read and write; null where only people deploy."
  type        = string
  default     = null
}

# What is traded

variable "mode" {
  description = "paper or live."
  type        = string

  validation {
    condition     = contains(["paper", "live"], var.mode)
    error_message = "mode is paper or live."
  }
}

variable "account" {
  description = "The account at Interactive Brokers, such as DU1234567. Only checked here against the mode: the gateway asks IB which account it is."
  type        = string

  validation {
    condition = (
      var.mode == "live"
      ? can(regex("^[UF][0-9]+$", var.account))
      : can(regex("^D[UF][0-9]+$", var.account))
    )
    error_message = "account is ${var.account}: accounts of mode paper start with DU or DF, those of mode live with U or F."
  }
}

variable "live_trading_accepted" {
  description = "The live account once more, by its exact name, by whoever accepts that real money is traded; empty for paper."
  type        = string
  default     = ""

  validation {
    condition     = var.live_trading_accepted == (var.mode == "live" ? var.account : "")
    error_message = "live_trading_accepted must be the account itself for live, and empty for paper."
  }
}

variable "ib_port" {
  description = "The API port of the IB Gateway; null is the mode's own, 4002 for paper and 4001 for live."
  type        = number
  default     = null

  validation {
    condition     = var.ib_port == null ? true : var.ib_port == (var.mode == "live" ? 4001 : 4002)
    error_message = "ib_port must be 4002 for paper and 4001 for live: the other one leads to the other kind of account, 4003 and 4004 to the forwarder."
  }
}

# What runs

variable "commander_image" {
  description = "The image `gateway` of infra/containers, by digest. While all three images are null, everything is made but what runs."
  type        = string
  default     = null

  validation {
    condition     = var.commander_image == null ? true : can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/.+@sha256:[0-9a-f]{64}$", var.commander_image))
    error_message = "commander_image is an image of Artifact Registry by its digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME@sha256:..."
  }
}

variable "functions_image" {
  description = "The image `functions` of infra/containers, by digest: the strategies, alerts and watchdog."
  type        = string
  default     = null

  validation {
    condition     = var.functions_image == null ? true : can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/.+@sha256:[0-9a-f]{64}$", var.functions_image))
    error_message = "functions_image is an image of Artifact Registry by its digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME@sha256:..."
  }

  validation {
    condition     = (var.functions_image == null) == (var.commander_image == null)
    error_message = "functions_image, commander_image and gateway_image are given together, or none of them."
  }
}

variable "gateway_image" {
  description = "The image with the IB Gateway, by digest, through the repository `ghcr`: REGION-docker.pkg.dev/PROJECT/ghcr/gnzsnz/ib-gateway@sha256:..."
  type        = string
  default     = null

  validation {
    condition     = var.gateway_image == null ? true : can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/.+@sha256:[0-9a-f]{64}$", var.gateway_image))
    error_message = "gateway_image is an image of Artifact Registry by its digest: Cloud Run cannot pull from ghcr.io itself."
  }

  validation {
    condition     = (var.gateway_image == null) == (var.commander_image == null)
    error_message = "gateway_image, commander_image and functions_image are given together, or none of them."
  }
}

variable "gateway_environment" {
  description = "More settings of the IB Gateway's image, such as TWOFA_DEVICE. No secret: it would stand in Terraform's state."
  type        = map(string)
  default     = {}

  validation {
    condition = length([
      for name in keys(var.gateway_environment) : name
      if can(regex("(?i)PASSWORD|SECRET|TOKEN|CODE|USERID|PRIVATE|VNC", name))
    ]) == 0
    error_message = "gateway_environment holds no user name, password, code or VNC password: secrets are versions in Secret Manager."
  }

  validation {
    condition = length(setintersection(keys(var.gateway_environment), [
      "AUTO_RESTART_TIME", "EXISTING_SESSION_DETECTED_ACTION", "READ_ONLY_API", "TIME_ZONE",
      "TRADING_MODE", "TWS_COLD_RESTART", "TWS_MASTER_CLIENT_ID",
    ])) == 0
    error_message = "gateway_environment may not change what the commander relies on: the trading mode, its client id, the time zone, the restart, what a second login does."
  }
}

variable "commander_instances" {
  description = "1, or 0 to stop: two commanders would wait for one lease, and two IB Gateways take each other's login."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 1], var.commander_instances)
    error_message = "commander_instances is 0 or 1: one gateway acts per mode."
  }

  validation {
    condition     = var.commander_instances == 0 || var.commander_image != null
    error_message = "commander_instances is 0 until there are images: give commander_image, functions_image and gateway_image."
  }
}

variable "daily_restart" {
  description = "When the IB Gateway restarts itself each day, New York time, outside all sessions that are traded."
  type        = string
  default     = "23:45"

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.daily_restart))
    error_message = "daily_restart is a time like 23:45."
  }
}

variable "static_egress" {
  description = "Whether all traffic leaves from one reserved address. IB ends a login when the address changes; live needs it, for paper it costs more than it gives."
  type        = bool
  default     = false

  validation {
    condition     = var.mode != "live" || var.static_egress
    error_message = "static_egress must be true for live: IB asks for a new login when the address changes."
  }
}

# When

variable "running_windows" {
  description = "Cron lines (New York) that set the commander's instances to 1 and to 0, whatever they are; null is around the clock. Leave room for the first and the last schedule of the day: 45 8 and 35 16."
  type = object({
    start = string
    stop  = string
  })
  default = null

  validation {
    condition = var.running_windows == null ? true : alltrue([
      for line in values(var.running_windows) : can(regex("^\\S+( \\S+){4}$", line))
    ])
    error_message = "running_windows has two cron lines of five fields, such as start = \"0 8 * * 1-5\" and stop = \"30 17 * * 1-5\"."
  }
}

variable "schedules_paused" {
  description = "Pauses every schedule, the watchdog's and the windows' too; to stop a mode for long, with commander_instances = 0."
  type        = bool
  default     = false
}

# Who is told

variable "alert_email" {
  description = "Who gets the alerts by e-mail; null for nobody."
  type        = string
  default     = null
}

variable "notification_channels" {
  description = "More notification channels of Cloud Monitoring by their full names, such as a pager's."
  type        = list(string)
  default     = []
}

variable "alert_webhook" {
  description = "Whether the secret alert-webhook-url has a version, so that alerts go to that webhook too."
  type        = bool
  default     = false
}

variable "alert_webhook_severity_min" {
  description = "The mildest alert that the webhook gets."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["INFO", "WARNING", "ERROR", "CRITICAL"], var.alert_webhook_severity_min)
    error_message = "alert_webhook_severity_min is INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "billing_account" {
  description = "The billing account, for a budget on this project; null for none. Whoever applies needs a role on it, such as Billing Account Administrator; a person also USER_PROJECT_OVERRIDE=true and GOOGLE_BILLING_PROJECT."
  type        = string
  default     = null
}

variable "monthly_budget" {
  description = "The budget in whole units of the billing account's currency; 50, 90 and 100 % of it are told."
  type        = number
  default     = 150

  validation {
    condition     = var.monthly_budget > 0 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "monthly_budget is a whole number above 0."
  }
}
