output "topic_arn" {
  description = "`alerts.sns.topic` of the settings."
  value       = aws_sns_topic.alerts.arn
}

output "job_log_group" {
  description = "Where drivers and executors write."
  value       = aws_cloudwatch_log_group.jobs.name
}

output "filter_patterns" {
  description = "What is looked for in the log, by the metric that counts it."
  value = merge(
    { for key, each in local.spoken : key => { metric = each.metric, pattern = each.pattern } },
    { for table, metric in local.metric_of : metric => { metric = metric, pattern = aws_cloudwatch_log_metric_filter.published[table].pattern } },
  )
}

output "airflow_log_groups" {
  description = "Where Airflow's parts write."
  value       = [for group in aws_cloudwatch_log_group.airflow : group.name]
}
