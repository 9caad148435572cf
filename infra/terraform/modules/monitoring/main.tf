# What is told of nights. Lakesmith says it on SNS itself (docs/alerts.md); the alarms here read its log, and so also notice when it says
# nothing at all. EMR Serverless has no way in for Prometheus, and a log arrives whatever happens to the process afterwards.

locals {
  namespace = "Lakesmith/${var.name}"

  # Metric -> the rules of docs/alerts.md that count for it. A line that opens an alert begins with these words, in text and in JSON alike;
  # reminders and resolved ones begin otherwise.
  rules = {
    NightFailed = ["batch_failed", "batch_rejected", "batch_blocked", "batch_foreign", "critical_expectations", "table_not_updated", "task_failed"]
    NightLate   = ["night_late"]
    ZeroScores  = ["zero_scores"]
  }
  severities = ["critical", "warning"]
  groups     = merge({ jobs = aws_cloudwatch_log_group.jobs.name }, { for part, group in aws_cloudwatch_log_group.airflow : "airflow" => group.name if part == "Task" })

  spoken = merge([
    for group in(var.airflow_environment == "" ? ["jobs"] : ["jobs", "airflow"]) : merge([
      for metric, rules in local.rules : {
        for pair in setproduct(rules, local.severities) :
        "${group}-${pair[0]}-${pair[1]}" => { group = group, metric = metric, pattern = "\"alert ${pair[1]}: ${pair[0]},\"" }
      }
    ]...)
  ]...)

  alarms = {
    night-failed = { metric = "NightFailed", said = "A table of the night failed, was rejected or waits for one that did. First: lakesmith alerts list --open --env <env>" }
    night-late   = { metric = "NightLate", said = "A night is not done at its deadline. First: lakesmith nights --env <env>" }
    zero-scores  = { metric = "ZeroScores", said = "A table of scores is empty although what it reads is not. First: docs/runbooks/zero_scores.md" }
  }

  metric_of = { for table in var.gold_tables : table => "Published.${table}" }
}

resource "aws_cloudwatch_log_group" "jobs" {
  name              = "/${var.name}/jobs"
  retention_in_days = var.log_days
  kms_key_id        = var.log_key_arn
}

# MWAA writes into groups of these names.
resource "aws_cloudwatch_log_group" "airflow" {
  for_each = var.airflow_environment == "" ? toset([]) : toset(["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"])

  name              = "airflow-${var.airflow_environment}-${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.log_key_arn
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = var.message_key_arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsAndBudgetsSpeak"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.subscribers

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

# --- what the log says ---------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_metric_filter" "alert" {
  for_each = local.spoken

  name           = "${var.name}-${each.key}"
  log_group_name = local.groups[each.value.group]
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.namespace
    name      = each.value.metric
    value     = "1"
  }
}

# The line that a job ends with. A rerun that had nothing to do says `0 batches published`.
resource "aws_cloudwatch_log_metric_filter" "published" {
  for_each = local.metric_of

  name           = "${var.name}-published-${each.key}"
  log_group_name = aws_cloudwatch_log_group.jobs.name
  pattern        = "{ ($.logger = \"lakesmith\") && ($.level = \"info\") && ($.message = \"${each.key}: *\") && ($.message != \"${each.key}: 0 batches published *\") }"

  metric_transformation {
    namespace = local.namespace
    name      = each.value
    value     = "1"
  }
}

# --- who is woken --------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_metric_alarm" "alert" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.said
  namespace           = local.namespace
  metric_name         = each.value.metric
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching" # nothing said is no alert; that nothing runs is what the next alarms are for
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "stale" {
  for_each = local.metric_of

  alarm_name          = each.key == var.score_table ? "${var.name}-no-scores-written" : "${var.name}-stale-${replace(each.key, ".", "-")}"
  alarm_description   = "Nothing was published to ${each.key} for ${var.stale_hours} hours. First: lakesmith status --env <env>"
  namespace           = local.namespace
  metric_name         = each.value
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.stale_hours
  datapoints_to_alarm = var.stale_hours
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching" # silence is what it listens for
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat([
      {
        type = "alarm", x = 0, y = 0, width = 24, height = 3
        properties = {
          title  = "What is wrong"
          alarms = concat([for alarm in aws_cloudwatch_metric_alarm.alert : alarm.arn], [for alarm in aws_cloudwatch_metric_alarm.stale : alarm.arn])
        }
      },
      {
        type = "metric", x = 0, y = 3, width = 12, height = 6
        properties = {
          title   = "Alerts that were opened"
          region  = var.region, stat = "Sum", period = 3600, view = "timeSeries", stacked = true
          metrics = [for metric in keys(local.rules) : [local.namespace, metric]]
        }
      },
      {
        type = "metric", x = 12, y = 3, width = 12, height = 6
        properties = {
          title   = "Runs that published to gold"
          region  = var.region, stat = "Sum", period = 3600, view = "timeSeries", stacked = false
          metrics = [for table in sort(keys(local.metric_of)) : [local.namespace, local.metric_of[table], { label = table }]]
        }
      },
      {
        type = "log", x = 0, y = 9, width = 24, height = 8
        properties = {
          title  = "Errors of jobs"
          region = var.region, view = "table"
          query  = "SOURCE '${aws_cloudwatch_log_group.jobs.name}' | fields time, table, batches, message | filter level = 'error' | sort @timestamp desc | limit 50"
        }
      },
      ], [
      for application in compact([var.application_id]) : {
        type = "metric", x = 0, y = 17, width = 24, height = 6
        properties = {
          title   = "What jobs take"
          region  = var.region, stat = "Average", period = 300, view = "timeSeries", stacked = false
          metrics = [[{ expression = "SEARCH('{AWS/EMRServerless,ApplicationId} ApplicationId=\"${application}\" MetricName=(\"CPUAllocated\" OR \"MemoryAllocated\")', 'Average', 300)" }]]
        }
      }
    ])
  })
}
