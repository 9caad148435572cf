mock_provider "aws" {
  source = "./mocks"
}

run "trail" {
  module {
    source = "../modules/audit"
  }
  variables {
    name        = "lakesmith-prod"
    bucket_arns = ["arn:aws:s3:::landing", "arn:aws:s3:::lake"]
    logs_bucket = "logs"
    key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/logs"
  }

  assert {
    condition     = aws_cloudtrail.this.enable_log_file_validation && aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.kms_key_id == var.key_arn
    error_message = "The trail is of all regions, encrypted, and shows when it was changed."
  }
  assert {
    condition = anytrue([
      for selector in aws_cloudtrail.this.advanced_event_selector : alltrue([
        anytrue([for field in selector.field_selector : field.field == "eventCategory" && try(field.equals[0], "") == "Data"]),
        anytrue([for field in selector.field_selector : field.field == "resources.ARN" && try(toset(field.starts_with), toset([])) == toset(["arn:aws:s3:::landing/", "arn:aws:s3:::lake/"])]),
        !anytrue([for field in selector.field_selector : field.field == "readOnly"]),
      ])
    ])
    error_message = "Every reading and writing of the lake's objects is on record."
  }
}

run "alarms" {
  module {
    source = "../modules/monitoring"
  }
  variables {
    name                = "lakesmith-prod"
    account_id          = "123456789012"
    region              = "eu-west-1"
    log_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/logs"
    message_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/messages"
    airflow_environment = "lakesmith-prod"
    subscribers         = ["data@example.com"]
  }

  assert {
    condition = toset(concat([for alarm in aws_cloudwatch_metric_alarm.alert : alarm.alarm_name], [for alarm in aws_cloudwatch_metric_alarm.stale : alarm.alarm_name])) == toset([
      "lakesmith-prod-night-failed", "lakesmith-prod-night-late", "lakesmith-prod-zero-scores", "lakesmith-prod-no-scores-written",
      "lakesmith-prod-stale-gold-customer_features", "lakesmith-prod-stale-gold-daily_sales",
    ])
    error_message = "Night failed, night late, no scores, stale gold."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.stale : alarm.treat_missing_data == "breaching" && alarm.evaluation_periods * alarm.period <= 7 * 86400])
    error_message = "Silence is an alarm, within what CloudWatch looks back."
  }
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.alert), values(aws_cloudwatch_metric_alarm.stale)) :
      alarm.alarm_actions == toset([aws_sns_topic.alerts.arn]) && contains([for filter in concat(values(aws_cloudwatch_log_metric_filter.alert), values(aws_cloudwatch_log_metric_filter.published)) : filter.metric_transformation[0].name], alarm.metric_name)
    ])
    error_message = "Each alarm looks at a metric that a filter makes, and tells the topic."
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.airflow)) == toset(["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"])
    error_message = "All of Airflow's logs are kept."
  }
  assert {
    condition = alltrue([
      for group in concat(values(aws_cloudwatch_log_group.airflow), [aws_cloudwatch_log_group.jobs]) : group.kms_key_id == var.log_key_arn && group.retention_in_days >= 365
    ])
    error_message = "Logs are encrypted and kept for a year."
  }
  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == var.message_key_arn && strcontains(aws_sns_topic_policy.alerts.policy, "aws:SecureTransport")
    error_message = "Alerts are encrypted, and come over TLS only."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sns_topic_policy.alerts.policy).Statement : statement.Condition.StringEquals["aws:SourceAccount"] == "123456789012" if statement.Effect == "Allow"
    ])
    error_message = "Only this account's alarms speak."
  }
  assert {
    condition     = can(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets)
    error_message = "There is a dashboard."
  }
}

run "budget" {
  module {
    source = "../modules/budget"
  }
  variables {
    name        = "lakesmith-prod"
    monthly_usd = 3000
    topic_arn   = "arn:aws:sns:eu-west-1:123456789012:lakesmith-prod-alerts"
  }

  assert {
    condition     = anytrue([for said in aws_budgets_budget.this.notification : said.notification_type == "ACTUAL" && said.threshold == 100 && said.subscriber_sns_topic_arns == toset([var.topic_arn])])
    error_message = "A cost above the budget is told."
  }
  assert {
    condition     = anytrue([for said in aws_budgets_budget.this.notification : said.notification_type == "FORECASTED"])
    error_message = "And so is one that will be."
  }
  assert {
    condition     = one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Platform$lakesmith-prod"])
    error_message = "What is counted is this platform's."
  }
}

run "secrets" {
  module {
    source = "../modules/secrets"
  }
  variables {
    name    = "lakesmith-prod"
    key_arn = "arn:aws:kms:eu-west-1:123456789012:key/messages"
    names   = { webhook = "Where alerts go" }
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == var.key_arn && secret.recovery_window_in_days == 30])
    error_message = "Secrets are under the key, and can be brought back for a month."
  }
  assert {
    condition     = output.references["webhook"] == "secret://lakesmith-prod/webhook"
    error_message = "The settings name them by reference."
  }
}
