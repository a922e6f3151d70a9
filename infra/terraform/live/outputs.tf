output "trading" {
  description = "What the deploy guide needs, by name; see the module's outputs."
  value       = module.trading
}
