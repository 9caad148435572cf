# What a month may cost. Amazon counts a few times a day, so this is slower than the cost of each run in ops.runs.

locals {
  said = {
    half   = { type = "ACTUAL", percent = 50 }
    near   = { type = "ACTUAL", percent = 80 }
    above  = { type = "ACTUAL", percent = 100 }
    coming = { type = "FORECASTED", percent = 100 }
  }
}

resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Platform$%s", var.name)]
  }

  dynamic "notification" {
    for_each = local.said
    content {
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.value.type
      threshold                 = notification.value.percent
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [var.topic_arn]
    }
  }
}
