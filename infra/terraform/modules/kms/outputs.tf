output "arns" {
  description = "The keys' ARNs: data, logs, messages."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}
