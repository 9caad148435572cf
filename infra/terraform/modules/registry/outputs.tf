output "repository_url" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_arn" {
  description = "The same by ARN, for the role that releases."
  value       = aws_ecr_repository.this.arn
}

output "key_arn" {
  description = "The key of the images."
  value       = aws_kms_key.this.arn
}
