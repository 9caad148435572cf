output "role_arns" {
  description = "The roles' ARNs: pipeline, engineer, promoter, analyst."
  value       = { for name, role in local.roles : name => role.arn }
}
