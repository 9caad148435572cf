output "names" {
  description = "The buckets' names by what they hold: landing, lake, artifacts, dags, logs."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.id }
}

output "arns" {
  description = "The same by ARN."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.arn }
}

output "lake_root" {
  description = "`lake_root` of the settings."
  value       = "s3://${aws_s3_bucket.this["lake"].id}/${var.lake_prefix}"
}

output "landing_root" {
  description = "`landing_root` of the settings."
  value       = "s3://${aws_s3_bucket.this["landing"].id}/${var.landing_prefix}"
}

output "logs_ready" {
  description = "The logs' bucket, once its policy lets the trail write."
  value       = aws_s3_bucket_policy.this["logs"].bucket
}
