mock_provider "aws" {
  source = "./mocks"
}

variables {
  region         = "eu-west-1"
  owner          = "data-platform"
  administrators = ["arn:aws:iam::123456789012:role/sso-administrators", "arn:aws:iam::123456789012:user/admin"]
  repository     = "example/lakesmith"
}

run "state" {
  module {
    source = "../bootstrap"
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.state.restrict_public_buckets && aws_s3_bucket_public_access_block.state.block_public_policy
    error_message = "The state keeps versions, and is nobody else's."
  }
  assert {
    condition     = strcontains(aws_s3_bucket_policy.state.policy, "aws:SecureTransport")
    error_message = "The state travels over TLS."
  }
}

run "who_applies_and_releases" {
  module {
    source = "../bootstrap"
  }

  assert {
    condition = alltrue([
      for role in aws_iam_role.terraform : role.max_session_duration == 3600 && alltrue([
        for statement in jsondecode(role.assume_role_policy).Statement :
        try(statement.Condition.Bool["aws:MultiFactorAuthPresent"], "") == (anytrue([for arn in statement.Principal.AWS : strcontains(arn, ":user/")]) ? "true" : "")
      ]) && length(jsondecode(role.assume_role_policy).Statement) == 2
    ]) && toset(keys(aws_iam_role.terraform)) == toset(["dev", "staging", "prod"])
    error_message = "Who applies was named, for an hour; a user has a second factor."
  }
  assert {
    condition     = jsondecode(aws_iam_role.github["release"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:example/lakesmith:ref:refs/heads/main"]
    error_message = "Only the main branch releases."
  }
  assert {
    condition     = alltrue([for subject in jsondecode(aws_iam_role.github["promote"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] : can(regex("^repo:example/lakesmith:environment:(dev|staging|prod)$", subject))])
    error_message = "Only an environment of GitHub's, with its approval, promotes."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.github["release"].policy, "emr-serverless") && !strcontains(aws_iam_role_policy.github["release"].policy, "AssumeRole")
    error_message = "A release pushes an image, and touches no environment."
  }
}

run "the_whole_account_as_administrator" {
  command = plan
  module {
    source = "../bootstrap"
  }
  variables {
    administrators = ["arn:aws:iam::123456789012:root"]
  }
  expect_failures = [var.administrators]
}
