output "application_id" {
  description = "The application that jobs are sent to."
  value       = aws_emrserverless_application.this.id
}

output "application_arn" {
  description = "The same by ARN."
  value       = aws_emrserverless_application.this.arn
}
