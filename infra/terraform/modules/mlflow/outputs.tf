output "tracking_uri" {
  description = "`mlflow.tracking_uri` of the settings: the managed server's ARN, or the URL."
  value       = local.managed == 1 ? aws_sagemaker_mlflow_tracking_server.this[0].arn : var.url
}

output "tracking_server_arn" {
  description = "The managed server; empty where there is none."
  value       = local.managed == 1 ? aws_sagemaker_mlflow_tracking_server.this[0].arn : ""
}
