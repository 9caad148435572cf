mock_provider "aws" {
  source = "./mocks"
}

run "keys" {
  module {
    source = "../modules/kms"
  }
  variables {
    name       = "lakesmith-prod"
    account_id = "123456789012"
    region     = "eu-west-1"
  }

  assert {
    condition     = toset(keys(aws_kms_key.this)) == toset(["data", "logs", "messages"])
    error_message = "There are three keys."
  }
  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.enable_key_rotation && key.deletion_window_in_days == 30])
    error_message = "Keys turn every year, and can be brought back for a month."
  }
  assert {
    condition = alltrue(flatten([
      for key in aws_kms_key.this : [
        for statement in jsondecode(key.policy).Statement :
        can(statement.Principal.AWS) ? statement.Principal.AWS == "arn:aws:iam::123456789012:root" : can(statement.Condition)
      ]
    ]))
    error_message = "A key is this account's; a service may use it under a condition only."
  }
  assert {
    condition     = length(jsondecode(aws_kms_key.this["data"].policy).Statement) == 1
    error_message = "No service has a say in the key of the data."
  }
}

run "a_name_that_is_none" {
  command = plan
  module {
    source = "../modules/kms"
  }
  variables {
    name       = "Lakesmith prod"
    account_id = "123456789012"
    region     = "eu-west-1"
  }
  expect_failures = [var.name]
}
