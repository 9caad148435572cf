output "settings" {
  description = "What the settings of this environment must say, by their names: `lakesmith doctor --env <env> --from-terraform FILE` compares them."
  value = merge(
    {
      "landing_root"      = module.buckets.landing_root
      "lake_root"         = module.buckets.lake_root
      "aws.region"        = local.region
      "s3.kms_key"        = module.kms.arns["data"]
      "emr.role"          = module.iam.role_arns["pipeline"]
      "emr.code"          = "s3://${module.buckets.names["artifacts"]}/releases"
      "emr.outcomes"      = "s3://${module.buckets.names["artifacts"]}/outcomes"
      "emr.log_group"     = module.monitoring.job_log_group
      "emr.log_key"       = module.kms.arns["logs"]
      "alerts.sns.topic"  = module.monitoring.topic_arn
      "alerts.sns.region" = local.region
    },
    { for application in module.emr_serverless : "emr.application" => application.application_id },
    { for server in module.mlflow : "mlflow.tracking_uri" => server.tracking_uri },
  )
}

output "region" {
  description = "The region of everything here."
  value       = local.region
}

output "bucket_names" {
  description = "The buckets by what they hold."
  value       = module.buckets.names
}

output "data_key_arn" {
  description = "The key of the lake, the landing files and models."
  value       = module.kms.arns["data"]
}

output "role_arns" {
  description = "The roles: pipeline, engineer, promoter, analyst."
  value       = module.iam.role_arns
}

output "application_id" {
  description = "EMR Serverless's application; empty where there is none."
  value       = one(module.emr_serverless[*].application_id) == null ? "" : one(module.emr_serverless[*].application_id)
}

output "job_log_group" {
  description = "Where jobs write their log."
  value       = module.monitoring.job_log_group
}

output "secret_references" {
  description = "How the settings name secrets."
  value       = module.secrets.references
}

output "athena" {
  description = "Where to ask: databases and workgroups."
  value       = local.catalog
}

output "airflow_url" {
  description = "Airflow's web pages; empty where there is none."
  value       = one(module.mwaa[*].webserver_url) == null ? "" : one(module.mwaa[*].webserver_url)
}

output "filter_patterns" {
  description = "What is looked for in the jobs' log."
  value       = module.monitoring.filter_patterns
}

output "columns" {
  description = "Every table's columns as Glue has them."
  value       = merge([for catalog in module.catalog : catalog.columns]...)
}

output "analysts_columns" {
  description = "Those that analysts see."
  value       = merge([for catalog in module.catalog : catalog.analysts_columns]...)
}
