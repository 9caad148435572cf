output "settings" {
  description = "What the settings of dev must say: `lakesmith doctor --env dev --from-terraform FILE`."
  value       = module.platform.settings
}

output "region" {
  description = "The region of everything."
  value       = module.platform.region
}

output "bucket_names" {
  description = "The buckets by what they hold."
  value       = module.platform.bucket_names
}

output "role_arns" {
  description = "The roles: pipeline, engineer, promoter, analyst."
  value       = module.platform.role_arns
}

output "application_id" {
  description = "EMR Serverless's application."
  value       = module.platform.application_id
}

output "job_log_group" {
  description = "Where jobs write their log."
  value       = module.platform.job_log_group
}

output "secret_references" {
  description = "How the settings name secrets."
  value       = module.platform.secret_references
}

output "athena" {
  description = "Where to ask: databases and workgroups."
  value       = module.platform.athena
}

output "airflow_url" {
  description = "Airflow's web pages."
  value       = module.platform.airflow_url
}
