# What the module asks for, but the mode; it says there what each may be.

variable "project_id" {
  description = "The Google Cloud project. Paper and live each have one of their own."
  type        = string
}

variable "region" {
  description = "Of everything: us-east4 is near IB's servers for the Americas."
  type        = string
  default     = "us-east4"
}

variable "state_bucket" {
  description = "The bucket with Terraform's state, for the pipeline to read and write; null where only people deploy."
  type        = string
  default     = null
}

variable "account" {
  description = "The account at Interactive Brokers, such as DU1234567. Only checked here against the mode: the gateway asks IB which account it is."
  type        = string
}

variable "live_trading_accepted" {
  description = "The live account once more, by its exact name, by whoever accepts that real money is traded; empty for paper."
  type        = string
  default     = ""
}

variable "ib_port" {
  description = "The API port of the IB Gateway; null is the mode's own, 4002 for paper and 4001 for live."
  type        = number
  default     = null
}

variable "commander_image" {
  description = "The image `gateway` of infra/containers, by digest. While all three images are null, everything is made but what runs."
  type        = string
  default     = null
}

variable "functions_image" {
  description = "The image `functions` of infra/containers, by digest: the strategies, alerts and watchdog."
  type        = string
  default     = null
}

variable "gateway_image" {
  description = "The image with the IB Gateway, by digest, through the repository `ghcr`: REGION-docker.pkg.dev/PROJECT/ghcr/gnzsnz/ib-gateway@sha256:..."
  type        = string
  default     = null
}

variable "gateway_environment" {
  description = "More settings of the IB Gateway's image, such as TWOFA_DEVICE. No secret: it would stand in Terraform's state."
  type        = map(string)
  default     = {}
}

variable "commander_instances" {
  description = "1, or 0 to stop: two commanders would wait for one lease, and two IB Gateways take each other's login."
  type        = number
  default     = 0
}

variable "daily_restart" {
  description = "When the IB Gateway restarts itself each day, New York time, outside all sessions that are traded."
  type        = string
  default     = "23:45"
}

variable "static_egress" {
  description = "Whether all traffic leaves from one reserved address. IB ends a login when the address changes; live needs it, for paper it costs more than it gives."
  type        = bool
  default     = false
}

variable "running_windows" {
  description = "Cron lines (New York) that set the commander's instances to 1 and to 0, whatever they are; null is around the clock. Leave room for the first and the last schedule of the day: 45 8 and 35 16."
  type = object({
    start = string
    stop  = string
  })
  default = null
}

variable "schedules_paused" {
  description = "Pauses every schedule, the watchdog's and the windows' too; to stop a mode for long, with commander_instances = 0."
  type        = bool
  default     = false
}

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
}
