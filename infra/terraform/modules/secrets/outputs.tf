output "arns" {
  description = "The secrets' ARNs by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "references" {
  description = "How the settings name them."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => "secret://${secret.name}" }
}
